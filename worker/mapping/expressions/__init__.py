"""The expression language: JMESPath, its parser, the additional functions, and the interpreter."""
