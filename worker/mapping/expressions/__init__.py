"""The expression language: JMESPath, its parser, the functions beside it, and the interpreter."""
