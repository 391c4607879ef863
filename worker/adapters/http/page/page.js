/* Reads status.json every two seconds and shows it. */
const POLL = 2000, SMOOTH = 5, MOST_ROWS = 50, SHORTEST_AXIS = 60;
const $ = (id) => document.getElementById(id);
const seen = [];
const sum = (counts) => Object.values(counts).reduce((a, b) => a + b, 0);
const charts = {
  rate: new Chart("rate-chart", "Throughput per second", [["first", "calls delivered"], ["second", "records consumed"]], count, false),
  latency: new Chart("latency-chart", "Request latency", [["first", "p50"], ["second", "p99"]], spoken, true),
  freshness: new Chart("freshness-chart", "Freshness: from Kafka to accepted", [["first", "p50"], ["second", "p99"], ["third", "oldest undelivered"]], spoken, true),
  lag: new Chart("lag-chart", "Lag in records", [["first", "lag"]], count, false),
};

function make(tag, text, name) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (name) element.className = name;
  return element;
}
function figure(id, value, unit) {
  $(id).replaceChildren(String(value), make("small", unit));
}
/* A rule without the folders above its own; the whole place shows at the pointer. */
function place(rule) {
  const element = make("code", rule.split("/").slice(-2).join("/"));
  element.title = rule;
  return element;
}
function linked(code, explained) {
  const known = explained[code];
  if (!known) return make("code", code);
  const link = make("a");
  link.href = known.link;
  link.append(make("code", code));
  return link;
}

/* rows: {name: text or element, n, kind: class of the bar, cells, sub: whether it is a part of the row above} */
function table(id, heads, rows, nothing) {
  if (!rows.length) { $(id).replaceChildren(make("p", nothing, "empty")); return; }
  const most = Math.max(...rows.map((row) => row.n), 1), body = make("tbody");
  for (const { name, n, kind, cells = [], sub } of rows.slice(0, MOST_ROWS)) {
    const row = make("tr", undefined, sub ? "sub" : ""), first = make("td"), bar = make("td", undefined, "bar"), rail = make("i"), fill = make("b", undefined, kind);
    first.append(typeof name === "string" ? make("code", name) : name);
    fill.style.width = `${(100 * n) / most}%`;
    rail.append(fill); bar.append(rail);
    row.append(first, bar, make("td", count(n), "n"), ...cells.map((cell) => make("td", cell, "n")));
    body.append(row);
  }
  const head = make("tr"), whole = make("table"), thead = make("thead");
  head.append(...heads.map((text, i) => make("th", text, i > 1 ? "n" : i ? "bar" : "")));
  thead.append(head); whole.append(thead, body);
  $(id).replaceChildren(whole);
  if (rows.length > MOST_ROWS) $(id).append(make("p", `and ${rows.length - MOST_ROWS} more`, "empty"));
}
const kindOf = (status) => (/^2/.test(status) ? "" : /^(4(?!08|25|29)|3)/.test(status) ? "bad" : "warn");
const ranked = (counts, kind) => Object.entries(counts).sort((a, b) => b[1] - a[1]).map(([name, n]) => ({ name, n, kind: kind(name) }));
const percent = (part, all) => `${all ? Math.floor((1000 * part) / all) / 10 : 0} %`;

function state(status) {
  if (status.hold) return ["bad", "on hold"];
  if (status.reasons.length) return ["warn", "not ready"];
  if (status.paused) return ["warn", "delivering, fetching paused"];
  if (!status.partitions.length) return ["idle", "ready, no partitions"];
  return ["good", "delivering"];
}
function notice(status) {
  const reasons = status.reasons.map((each) => [each.reason, each.detail]);
  if (status.hold && !reasons.some(([code]) => code === status.hold)) reasons.unshift([status.hold, "delivery is paused; no data is lost"]);
  $("notice").hidden = !reasons.length;
  $("notice").className = `notice ${status.hold ? "bad" : "warn"}`;
  $("notice").replaceChildren(...reasons.map(([code, detail]) => {
    const item = make("li");
    item.append(linked(code, status.runbook), detail);
    return item;
  }));
}
function flow(totals, inProgress) {
  const dead = sum(totals.dead_letters);
  const finished = Math.max(0, totals.consumed - totals.ignored - dead - inProgress);
  const parts = [["finished", "delivered", finished], ["", "ignored", totals.ignored], ["dead", "dead letters", dead], ["now", "in progress", inProgress]];
  $("flow").replaceChildren(...parts.map(([name, , n]) => {
    const part = make("span", undefined, name);
    part.style.flexGrow = n;
    part.hidden = !n;
    return part;
  }));
  const cells = [["all", "consumed", totals.consumed], ...parts];
  if (totals.lost) cells.push(["dead", "lost to retention", totals.lost]);
  $("legend").replaceChildren(...cells.map(([name, label, n]) => {
    const cell = make("div", undefined, name);
    cell.append(make("dt", label), make("dd", whole.format(n)));
    return cell;
  }));
}

/* What the totals were one or two intervals ago, for the first rate. */
function earlier({ history, totals, started_at }) {
  const from = Math.max(history.at.length - 2, 0), since = (name) => sum(history[name].slice(from));
  const before = { delivered: totals.delivered - since("delivered"), consumed: totals.consumed - since("consumed") };
  return { now: Math.max(history.at[from] ?? 0, started_at), totals: before };
}
function tiles(status) {
  const totals = status.totals;
  if (seen.length && seen[0].started_at !== status.started_at) seen.length = 0;
  seen.push(status);
  if (seen.length > SMOOTH) seen.shift();
  const first = seen.length > 1 ? seen[0] : earlier(status);
  const seconds = Math.max(status.now - first.now, 0.001);
  figure("rate", count((totals.delivered - first.totals.delivered) / seconds), "calls/s");
  $("consumed-rate").textContent = `${count((totals.consumed - first.totals.consumed) / seconds)} records/s read`;
  for (const [id, name, nothing] of [["latency", "latency", "no requests"], ["fresh", "freshness", "nothing delivered"]]) {
    const { p50, p99 } = status.history[name].recent;
    figure(id, ...(p50 == null ? ["–", ""] : span(p50)));
    $(`${id}-note`).textContent = p50 == null ? `${nothing} for 5 min` : `p50; p99 is ${spoken(p99)}`;
  }
  figure("oldest", ...(status.oldest_undelivered > 0 ? span(status.oldest_undelivered) : ["none", ""]));
  const lag = sum(status.partitions.map((each) => each.lag));
  figure("lag", count(lag), lag === 1 ? "record" : "records");
  $("in-progress").textContent = `${count(status.in_progress.records)} in progress, ${bytes(status.in_progress.bytes)}`;
  figure("flying", status.in_flight_requests, "");
  const share = Math.round(status.rate_limit_share * 10) / 10;
  $("rate-limit-share").textContent = `rate limit: ${share === 0 ? "no share yet" : count(share)}`;
  $("sent").textContent = `${count(sum(totals.requests))} sent, ${bytes(totals.request_bytes)}`;
}

/* The last hour; less if the worker is younger. The current interval counts once it is long enough for a rate. */
function hour(status) {
  const history = status.history, every = history.interval_seconds, to = status.now;
  const from = Math.max(to - HOUR, Math.min(status.started_at, to - SHORTEST_AXIS));
  const lasts = history.at.map((at) => Math.min(at + every, to) - Math.max(at, status.started_at));
  const n = lasts.length && lasts.at(-1) < Math.min(2, every) ? lasts.length - 1 : lasts.length;
  const at = history.at.slice(0, n).map((began) => Math.min(began + every, to));
  const rate = (counts) => counts.slice(0, n).map((each, i) => each / Math.max(lasts[i], 1));
  const values = (each) => each.slice(0, n);
  const show = (chart, ...columns) => { chart.every = every; chart.show(at, columns, from, to); };
  show(charts.rate, rate(history.delivered), rate(history.consumed));
  show(charts.latency, values(history.latency.p50), values(history.latency.p99));
  show(charts.freshness, values(history.freshness.p50), values(history.freshness.p99), values(history.oldest_undelivered));
  show(charts.lag, values(history.lag));
}

function partitions(status) {
  const isIdle = (each) => !each.lag && !each.oldest_undelivered;
  const busy = status.partitions.filter((each) => !isIdle(each)).sort((a, b) => b.lag - a.lag || a.topic.localeCompare(b.topic) || a.partition - b.partition);
  table("partitions", ["topic and partition", "", "lag", "oldest"], busy.map((each) => ({
    name: `${each.topic} / ${each.partition}`, n: each.lag, kind: "", cells: [each.oldest_undelivered ? spoken(each.oldest_undelivered) : "–"],
  })), status.partitions.length ? "No partition has records to deliver." : "No partitions are assigned.");
  const idle = {}, n = status.partitions.length - busy.length;
  for (const each of status.partitions.filter(isIdle)) (idle[each.topic] ??= []).push(each.partition);
  $("idle").hidden = !n;
  $("idle").firstElementChild.textContent = `${n} idle ${n === 1 ? "partition" : "partitions"}`;
  $("idle").lastElementChild.replaceChildren(...Object.entries(idle).map(([topic, each]) => {
    const line = make("p");
    line.append(make("code", topic), ` / ${each.join(", ")}`);
    return line;
  }));
}

/* Each topic, and below it the rules that handled records without a call, and what no rule matched. */
function ignored(status) {
  const rows = [...status.topics].sort((a, b) => b.ignored - a.ignored || a.topic.localeCompare(b.topic)).flatMap((each) => {
    const unmatched = each.ignored - sum(each.ignored_by);
    const parts = [...Object.entries(each.ignored_by).map(([rule, n]) => [place(rule), n]), ...(unmatched ? [["no rule matched", unmatched]] : [])].sort((a, b) => b[1] - a[1]);
    const row = (name, n, sub) => ({ name, n, kind: "idle", cells: [percent(n, each.consumed)], sub });
    return [row(each.topic, each.ignored, false), ...parts.map(([rule, n]) => row(rule, n, true))];
  });
  table("topics", ["topic, rule", "", "ignored", "of topic"], rows, "No records yet.");
}

function dead(status) {
  table("dead", ["reason", "", "records"], ranked(status.totals.dead_letters, () => "bad").map((row) => {
    const name = make("span");
    name.append(linked(row.name, status.runbook), make("span", status.runbook[row.name]?.meaning.replaceAll("`", ""), "why"));
    return { ...row, name };
  }), "No dead letters.");
}

function trouble(status) {
  const totals = status.totals, rows = [];
  for (const row of ranked(totals.retries, () => "warn")) rows.push({ ...row, name: `retry ${row.name}` });
  for (const row of ranked(totals.holds, () => "bad")) {
    const name = make("span");
    name.append(make("code", "hold "), linked(row.name, status.runbook));
    rows.push({ ...row, name });
  }
  for (const [name, n, kind] of [["storm", totals.storms, "bad"], ["dead letter not written", totals.dead_letters_failed, "bad"], ["commit failed", totals.commits_failed, "warn"]])
    if (n) rows.push({ name, n, kind });
  table("trouble", ["what", "", "times"], rows, "No retries, no holds.");
}

function unmatched(status) {
  table("rules", ["rule, topic", "", "records"], status.unmatched_rules.map((each) => {
    const name = make("span");
    name.append(place(each.rule), make("span", each.topic, "why"));
    return { name, n: each.records, kind: "warn" };
  }), "None, of topics with 1,000 records.");
}

function show(status) {
  const [kind, word] = state(status);
  $("state").className = `pill ${kind}`;
  $("state").textContent = word;
  document.title = `${word} – Pipelines worker`;
  $("about").textContent = `version ${status.version}, up ${spoken(status.now - status.started_at)}`;
  notice(status);
  tiles(status);
  flow(status.totals, status.in_progress.records);
  hour(status);
  partitions(status);
  ignored(status);
  dead(status);
  trouble(status);
  table("requests", ["status", "", "requests"], ranked(status.totals.requests, kindOf), "No requests yet.");
  unmatched(status);
}
async function read() {
  try {
    const answer = await fetch("status.json", { cache: "no-store", signal: AbortSignal.timeout(POLL * 2) });
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}
async function poll() {
  const status = await read();
  setTimeout(poll, document.hidden ? 5 * POLL : seen.length < 2 ? POLL / 2 : POLL);
  if (status) return show(status);
  $("state").className = "pill bad";
  $("state").textContent = "worker not reachable";
}
document.addEventListener("visibilitychange", () => { seen.length = 0; });
poll();
