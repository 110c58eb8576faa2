"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const PAGE = 100;
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8c6bb1", "#7f7f7f"]; // Okabe and Ito
const state = { page: 0, sort: { board: [1, 1], records: [1, 1], published: [0, 1], across: [0, 1] } };

const unique = (values) => [...new Set(values)];
const agents = unique(data.records.map((row) => row.agent));
const colour = (agent) => COLOURS[agents.indexOf(agent) % COLOURS.length];

function element(name, content, attributes = {}) {
  const made = document.createElement(name);
  if (content !== undefined) made.textContent = content;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function drawn(name, attributes, content) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (content !== undefined) made.textContent = content;
  return made;
}

const number = (value) => (value === null || value === undefined ? "-" : value.toLocaleString("en"));
const power = (value) => (value === null ? "-" : value.toExponential(2));

function fill(select, values, all) {
  select.replaceChildren(...[all, ...values].map((value, k) => element("option", value, { value: k ? value : "" })));
}

function chosen(row) {
  const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const text = `${row.suite} ${row.instance} ${row.agent} ${row.seed === undefined ? "" : `seed ${row.seed}`}`.toLowerCase();
  return ["suite", "instance", "agent"].every((name) => !byId(name).value || byId(name).value === row[name]) && words.every((word) => text.includes(word));
}

const BOARD = [
  ["suite", (row) => row.suite, (row) => row.suite, "word"],
  ["instance", (row) => row.instance, (row) => row.instance, "word"],
  ["agent", (row) => row.name, (row) => row.name, "word"],
  ["solved", (row) => row.share, (row) => row.solved],
  ["error", (row) => row.error, (row) => row.error_text],
  ["CNOT", (row) => row.cnot, (row) => row.cnot_text],
  ["depth", (row) => row.depth, (row) => row.depth_text],
  ["evaluations to solved", (row) => row.first, (row) => row.first_text],
  ["frozen: solved", (row) => row.frozen_share, (row) => row.frozen],
  ["CNOT", (row) => row.frozen_cnot, (row) => row.frozen_cnot_text],
];
const RECORDS = [
  ["suite", (row) => row.suite, (row) => row.suite, "word"],
  ["instance", (row) => row.instance, (row) => row.instance, "word"],
  ["agent", (row) => row.agent, (row) => row.agent, "word"],
  ["seed", (row) => row.seed, (row) => row.seed],
  ["solved", (row) => row.solved, (row) => (row.solved ? "yes" : "no")],
  ["error", (row) => row.error, (row) => power(row.error)],
  ["CNOT", (row) => row.cnot, (row) => row.cnot],
  ["gates", (row) => row.gates, (row) => row.gates],
  ["depth", (row) => row.depth, (row) => row.depth],
  ["evaluations", (row) => row.evaluations, (row) => number(row.evaluations)],
  ["seconds", (row) => row.seconds, (row) => row.seconds.toFixed(1) + row.clock],
];

const EVALUATIONS = [1000, 10000, 100000, 1000000];
const ACROSS = [
  ["suite", (row) => row.suite, (row) => row.suite, "word"],
  ["agent", (row) => row.agent, (row) => row.texts[0], "word"],
  ["runs", (row) => row.runs, (row) => row.runs],
  ["better than random", (row) => row.better && row.better[0], (row) => row.texts[2]],
  ...EVALUATIONS.map((limit, k) => [`solved in ${number(limit)}`, (row) => row.profile[k], (row) => row.texts[3 + k]]),
];
const PUBLISHED = [
  ["instance", (row) => row.instance, (row) => row.instance, "word"],
  ["method", (row) => row.method, (row) => row.method, "word"],
  ["error", (row) => row.error, (row) => power(row.error)],
  ["CNOT", (row) => row.cnot, (row) => number(row.cnot)],
  ["rotations", (row) => row.rotations, (row) => number(row.rotations)],
  ["depth", (row) => row.depth, (row) => number(row.depth)],
  ["source", (row) => row.source, (row) => row.source, "long"],
  ["but", (row) => row.caveat, (row) => row.caveat, "long"],
];

function sorted(rows, columns, [column, direction]) {
  const value = columns[column][1];
  const rank = (row) => (value(row) === null || value(row) === undefined ? Infinity : value(row));
  return [...rows].sort((a, b) => {
    const [left, right] = [rank(a), rank(b)];
    if (left === right) return 0;
    if (left === Infinity || right === Infinity) return left === Infinity ? 1 : -1; // what is missing comes last
    return (left < right ? -1 : 1) * direction;
  });
}

function table(name, rows, columns, onClick) {
  const [column, direction] = state.sort[name];
  const head = element("tr");
  columns.forEach(([title, , , kind], k) => {
    const cell = element("th", title, { scope: "col", tabindex: 0, class: kind || "" });
    if (k === column) cell.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
    const turn = () => {
      state.sort[name] = [k, k === column ? -direction : 1];
      state.page = 0;
      show();
    };
    cell.addEventListener("click", turn);
    cell.addEventListener("keydown", (event) => event.key === "Enter" && turn());
    head.append(cell);
  });
  const body = rows.map((row) => {
    const line = element("tr");
    for (const [, , text, kind] of columns) line.append(element("td", text(row), { class: kind || "" }));
    if (onClick) {
      line.className = "open";
      line.tabIndex = 0;
      line.addEventListener("click", () => onClick(row));
      line.addEventListener("keydown", (event) => event.key === "Enter" && onClick(row));
    }
    return line;
  });
  byId(name).replaceChildren(element("thead"), element("tbody"));
  byId(name).firstChild.append(head);
  byId(name).lastChild.append(...body);
}

function show() {
  table("board", sorted(data.board.filter(chosen), BOARD, state.sort.board), BOARD);
  const rows = sorted(data.records.filter(chosen), RECORDS, state.sort.records);
  const kept = (row) => (!byId("suite").value || byId("suite").value === row.suite) && (!byId("agent").value || byId("agent").value === row.agent);
  table("across", sorted(data.across.filter(kept), ACROSS, state.sort.across), ACROSS);
  const instances = new Set(rows.map((row) => row.instance));
  table("published", sorted(data.published.filter((row) => instances.has(row.instance)), PUBLISHED, state.sort.published), PUBLISHED);
  const pages = Math.max(1, Math.ceil(rows.length / PAGE));
  state.page = Math.min(state.page, pages - 1);
  table("records", rows.slice(state.page * PAGE, (state.page + 1) * PAGE), RECORDS, (row) => open(row.hash));
  const [back, on] = [element("button", "back"), element("button", "on")];
  back.addEventListener("click", () => { state.page = Math.max(0, state.page - 1); show(); });
  on.addEventListener("click", () => { state.page = Math.min(pages - 1, state.page + 1); show(); });
  byId("pages").replaceChildren(back, ` ${rows.length.toLocaleString("en")} records, page ${state.page + 1} of ${pages} `, on);
  plot();
}

function plot() {
  const name = byId("instance").value || unique(data.records.filter(chosen).map((row) => row.instance))[0];
  const svg = byId("plot");
  svg.replaceChildren();
  byId("legend").replaceChildren();
  const points = data.points.filter((point) => point.instance === name && chosen(point));
  const reference = data.references[name];
  if (!points.length && !reference) return;
  const small = (error) => Math.log10(Math.max(error, 1e-12));
  const axis = byId("against").value;
  const papers = data.published.filter((row) => row.instance === name && row[axis] !== null);
  const lines = reference && axis === "cnot" ? [["floor", reference.floors, "#000000"], ["floor over blocks", reference.block_floors || [], "#0072b2"], ["qubit-ADAPT", reference.adapt, "#7f7f7f"]].filter((line) => line[1].length) : [];
  const most = Math.max(3, ...points.map((point) => point[axis])) + 1;
  const errors = [...points.map((point) => small(point.error)), ...papers.map((row) => small(row.error)), ...(reference ? [small(reference.accuracy)] : [])];
  const [low, high] = [Math.floor(Math.min(...errors)) - 0.2, Math.min(2, Math.ceil(Math.max(...errors, reference ? small(reference.product) : -3)) + 0.2)];
  const x = (cnot) => 60 + (680 * cnot) / most;
  const y = (error) => Math.min(380, 380 - (350 * (small(error) - low)) / (high - low)); // lines end at the axis
  for (let k = 0; k <= most; k += Math.ceil(most / 12)) {
    svg.append(drawn("line", { x1: x(k), x2: x(k), y1: 30, y2: 380, class: "axis" }), drawn("text", { x: x(k), y: 398, "text-anchor": "middle" }, k));
  }
  for (let k = Math.ceil(low); k <= high; k += Math.ceil((high - low) / 8)) {
    svg.append(drawn("line", { x1: 60, x2: 740, y1: y(10 ** k), y2: y(10 ** k), class: "axis" }), drawn("text", { x: 54, y: y(10 ** k) + 4, "text-anchor": "end" }, `1e${k}`));
  }
  svg.append(drawn("text", { x: 400, y: 416, "text-anchor": "middle" }, byId("against").selectedOptions[0].text), drawn("text", { x: 60, y: 18 }, `${name}: error${reference ? ` [${reference.unit || "infidelity"}]` : ""}`));
  if (reference) {
    const mark = (value, text) => svg.append(drawn("line", { x1: 60, x2: 740, y1: y(value), y2: y(value), stroke: "#d55e00", "stroke-dasharray": "5 4" }), drawn("text", { x: 736, y: y(value) - 4, "text-anchor": "end" }, text));
    mark(reference.accuracy, "solved below");
    if (reference.product > 1e-12) mark(reference.product, "best product state");
  }
  for (const [title, steps, shade] of lines) {
    const inside = steps.filter(([cnot, error]) => cnot <= most && error > 0);
    const stairs = inside.flatMap(([cnot, error], k) => (k ? [[cnot, inside[k - 1][1]], [cnot, error]] : [[cnot, error]]));
    svg.append(drawn("polyline", { points: stairs.map(([cnot, error]) => `${x(cnot)},${y(error)}`).join(" "), class: "line", stroke: shade === "#000000" ? "currentColor" : shade }));
    const entry = element("span", title);
    const dot = element("i");
    dot.style.background = shade === "#000000" ? "currentColor" : shade;
    entry.prepend(dot);
    byId("legend").append(entry);
  }
  for (const row of papers.filter((row) => row[axis] <= most)) {
    const [left, up] = [x(row[axis]), y(row.error)];
    const mark = drawn("path", { d: `M${left} ${up - 6}l6 6l-6 6l-6 -6z`, class: "paper" });
    mark.append(drawn("title", {}, `${row.method}, ${row.source}: ${row[axis]}, ${power(row.error)}${row.caveat ? `; ${row.caveat}` : ""}`));
    svg.append(mark);
  }
  for (const point of points) {
    const mark = drawn("circle", { cx: x(point[axis]), cy: y(point.error), r: 5, fill: colour(point.agent), class: "mark", tabindex: 0 });
    mark.append(drawn("title", {}, `${point.agent}, seed ${point.seed}: ${point.cnot} CNOT, ${power(point.error)}`));
    mark.addEventListener("click", () => open(point.hash, point.circuit));
    mark.addEventListener("keydown", (event) => event.key === "Enter" && open(point.hash, point.circuit));
    svg.append(mark);
  }
  for (const agent of unique(points.map((point) => point.agent))) {
    const entry = element("span", agent);
    const dot = element("i");
    dot.style.background = colour(agent);
    entry.prepend(dot);
    byId("legend").append(entry);
  }
}

let wanted = null;
function open(hash, circuit) {
  wanted = circuit || "best";
  const script = element("script", undefined, { src: `circuits/${hash}.js` });
  script.onerror = () => { byId("detail").hidden = false; byId("detail").replaceChildren(element("p", `circuits/${hash}.js is missing`)); };
  document.head.append(script);
}

window.qasRecord = (record) => {
  const found = record.circuits[wanted] || record.circuits.best;
  const title = element("h2", `${record.instance}, ${record.agent}, seed ${record.seed}: ${wanted}`);
  const choices = element("p");
  for (const name of Object.keys(record.circuits)) {
    const button = element("button", name);
    button.addEventListener("click", () => { wanted = name; window.qasRecord(record); });
    choices.append(button, " ");
  }
  const figures = `energy ${found.energy}, error ${found.energy_error.toExponential(3)}, ${found.two_qubit_gates} CNOT, ${found.gates} gates, depth ${found.depth}`;
  const made = element("p", "Made by ");
  made.append(element("code", record.command));
  byId("detail").replaceChildren(title, choices, element("p", `${figures}. ${record.verified}`), element("pre", found.drawing), element("h3", "OpenQASM 3"), element("pre", found.qasm), made, element("p", `Record ${record.hash}`, { class: "note" }));
  byId("detail").hidden = false;
  byId("detail").scrollIntoView({ block: "nearest" });
};

byId("against").addEventListener("input", plot);
fill(byId("suite"), unique(data.records.map((row) => row.suite)), "all suites");
fill(byId("instance"), unique(data.records.map((row) => row.instance)), "all instances");
fill(byId("agent"), agents, "all agents");
byId("filters").addEventListener("input", () => { state.page = 0; show(); });
byId("filters").addEventListener("submit", (event) => event.preventDefault());
show();
document.body.dataset.ready = "yes";
