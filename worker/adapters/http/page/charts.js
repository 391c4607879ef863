"use strict";
/* Numbers as people read them, and charts with axes: time to the right, the newest value at the right edge. */
const HOUR = 3600, LEFT = 50, BOTTOM = 20, TOP = 8;
const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const precise = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const count = (n) => (n < 10 && n % 1 ? n.toFixed(1) : n < 100000 ? whole.format(Math.round(n)) : short.format(n));
const axisCount = (n) => (n < 10000 ? whole.format(n) : short.format(n));

function span(seconds) {
  if (seconds < 0.9995) return [Math.round(seconds * 1000), "ms"];
  if (seconds < 100) return [seconds.toFixed(seconds < 9.95 ? 1 : 0), "s"];
  if (seconds < 6000) return [Math.round(seconds / 60), "min"];
  if (seconds < 172800) return [(seconds / 3600).toFixed(1), "h"];
  return [Math.round(seconds / 86400), "days"];
}
const spoken = (seconds) => (seconds == null ? "–" : span(seconds).join(" "));
function axisTime(seconds) {
  for (const [unit, name] of [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]]) if (seconds >= unit) return `${+(seconds / unit).toFixed(2)} ${name}`;
  return seconds ? `${+(seconds * 1000).toFixed(1)} ms` : "0";
}
function bytes(n) {
  for (const unit of ["B", "kB", "MB"]) { if (n < 1000) return `${Math.round(n * 10) / 10}\u00a0${unit}`; n /= 1000; }
  return `${n.toFixed(1)}\u00a0GB`;
}

const SVG = "http://www.w3.org/2000/svg";
function draw(tag, attributes, text) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

/* The distance of the lines of a grid that has about four up to `most`. */
function step(most, isTime) {
  const units = isTime ? [[86400, 1e9], [3600, 86400], [60, 3600], [1, 60]] : [];
  const unit = (units.find(([from]) => most / 4 >= from) || [10 ** Math.floor(Math.log10(most / 4))])[0];
  const nice = unit === 60 || unit === 1 && isTime ? [1, 2, 5, 10, 15, 30, 60] : unit === 3600 ? [1, 2, 4, 6, 12, 24] : unit === 1 && !isTime ? [1, 2, 5, 10] : [1, 2, 2.5, 5, 10];
  return unit * (nice.find((n) => n * unit >= most / 4) || nice.at(-1));
}

class Chart {
  /* lines: [class, name] of each, the first one filled; `say` writes a value; `isTime`: values are seconds. */
  constructor(id, title, lines, say, isTime) {
    Object.assign(this, { lines, say, isTime, at: [], cursor: null });
    const figure = document.getElementById(id), caption = document.createElement("figcaption"), heading = document.createElement("h2");
    heading.textContent = title;
    caption.append(heading);
    this.values = lines.map(([kind, name]) => {
      const label = document.createElement("span"), value = document.createElement("b");
      label.className = kind;
      label.append(`${name} `, value);
      caption.append(label);
      return value;
    });
    this.heading = heading;
    this.title = title;
    this.plot = document.createElement("div");
    this.plot.className = "plot";
    figure.append(caption, this.plot);
    this.plot.addEventListener("pointermove", (event) => this.point(event.clientX - this.plot.getBoundingClientRect().left));
    this.plot.addEventListener("pointerleave", () => this.point(null));
    new ResizeObserver(() => this.render()).observe(this.plot);
  }

  show(at, columns, from, to) {
    Object.assign(this, { at, columns, from, to });
    this.render();
  }

  point(x) { this.cursor = this.at.length ? x : null; this.render(); }

  render() {
    const width = this.plot.clientWidth, height = this.plot.clientHeight;
    if (!this.columns || !width) return;
    const most = Math.max(...this.columns.flat().filter((v) => v != null), this.isTime ? 0.004 : 4);
    const distance = step(most, this.isTime), top = Math.ceil(most / distance) * distance;
    const x = (at) => LEFT + ((width - LEFT - 4) * (at - this.from)) / (this.to - this.from);
    const y = (value) => TOP + (height - TOP - BOTTOM) * (1 - value / top);
    const svg = draw("svg", { width, height, role: "img", "aria-label": `${this.title}, ${clock.format(this.from * 1000)} to now` });
    for (let value = 0; value <= top * 1.001; value += distance) {
      svg.append(draw("line", { class: "grid", x1: LEFT, x2: width - 4, y1: y(value), y2: y(value) }));
      svg.append(draw("text", { x: LEFT - 7, y: y(value) + 4, "text-anchor": "end" }, this.isTime ? axisTime(value) : axisCount(value)));
    }
    const apart = [15, 30, 60, 300, 600, 900, 1200].find((n) => (this.to - this.from) / n <= width / 75) || 1800;
    for (let at = Math.ceil(this.from / apart) * apart; at <= this.to; at += apart)
      if (x(at) < width - (apart < 60 ? 26 : 18)) svg.append(draw("text", { x: x(at), y: height - 4, "text-anchor": x(at) < LEFT + 20 ? "start" : "middle" }, (apart < 60 ? precise : clock).format(at * 1000)));
    this.columns.forEach((values, i) => {
      for (const run of this.runs(values)) {
        if (run.length === 1) {
          svg.append(draw("circle", { class: `dot ${this.lines[i][0]}`, cx: x(run[0][0]), cy: y(run[0][1]), r: 2.5 }));
          continue;
        }
        const points = run.map(([at, value]) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`), path = `M${points.join("L")}`;
        if (!i) svg.append(draw("path", { class: `area ${this.lines[i][0]}`, d: `${path}L${x(run.at(-1)[0]).toFixed(1)},${y(0)}L${x(run[0][0]).toFixed(1)},${y(0)}Z` }));
        svg.append(draw("path", { class: `line ${this.lines[i][0]}`, d: path }));
      }
    });
    this.caption(svg, x, height);
    this.plot.replaceChildren(svg);
  }

  /* What is drawn as one line: neighbours with values. Time is missing where the worker was stopped or blocked. */
  runs(values) {
    const runs = [];
    values.forEach((value, i) => {
      if (value == null || this.at[i] < this.from) return;
      const last = runs.at(-1);
      if (last && last.next === i && this.at[i] - this.at[i - 1] <= 2.5 * this.every) last.push([this.at[i], value]);
      else runs.push([[this.at[i], value]]);
      runs.at(-1).next = i + 1;
    });
    return runs;
  }

  /* Write the values at the pointer, or the newest ones. */
  caption(svg, x, height) {
    let index = this.at.length - 1;
    if (this.cursor !== null) {
      const distances = this.at.map((at) => Math.abs(x(at) - this.cursor));
      index = distances.indexOf(Math.min(...distances));
      svg.append(draw("line", { class: "cursor", x1: x(this.at[index]), x2: x(this.at[index]), y1: TOP, y2: height - BOTTOM }));
    }
    this.heading.textContent = this.cursor === null ? this.title : `${this.title} at ${precise.format(this.at[index] * 1000)}`;
    this.values.forEach((element, i) => {
      const value = this.columns[i][index];
      element.textContent = value == null ? "–" : this.say(value);
    });
  }
}
