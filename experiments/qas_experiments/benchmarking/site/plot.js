const SHAPES = ["circle", "square", "triangle", "cross"];
const NUM_COLOURS = 8;
const hidden = new Set();
const pointsOf = Map.groupBy ? Map.groupBy(data.points, (point) => point.place) : new Map(unique(data.points.map((point) => point.place)).map((place) => [place, data.points.filter((point) => point.place === place)]));
const allAgents = Object.keys(data.agents);
const styleOf = (agent) => {
  const k = allAgents.indexOf(agent);
  return { colour: `s${k % NUM_COLOURS}`, shape: SHAPES[Math.floor(k / NUM_COLOURS) % SHAPES.length] };
};

function mark(shape, x, y, r) {
  if (shape === "circle") return drawn("circle", { cx: x, cy: y, r });
  const paths = {
    square: `M${x - r} ${y - r}h${2 * r}v${2 * r}h${-2 * r}z`,
    triangle: `M${x} ${y - 1.3 * r}l${1.2 * r} ${2.2 * r}h${-2.4 * r}z`,
    cross: `M${x} ${y - 1.4 * r}l${1.4 * r} ${1.4 * r}l${-1.4 * r} ${1.4 * r}l${-1.4 * r} ${-1.4 * r}z`,
  };
  return drawn("path", { d: paths[shape] });
}

/** The lowest errors with growing numbers of gates. */
function front(points, axis) {
  const lowest = new Map();
  for (const point of points) lowest.set(point[axis], Math.min(lowest.get(point[axis]) ?? Infinity, point.error));
  const found = [];
  for (const [gates, error] of [...lowest].sort((a, b) => a[0] - b[0])) {
    if (!found.length || error < found[found.length - 1][1]) found.push([gates, error]);
  }
  return found;
}

const stairs = (steps, end) => [...steps.flatMap(([gates, error], k) => (k ? [[gates, steps[k - 1][1]], [gates, error]] : [[gates, error]])), ...(end === undefined || !steps.length ? [] : [[end, steps[steps.length - 1][1]]])];

/** The largest number of gates to show: where the fronts, solutions of references and published figures end. */
function widest(points, axis, reference, papers) {
  const ends = unique(points.map((point) => point.agent)).map((agent) => {
    const steps = front(points.filter((point) => point.agent === agent), axis);
    const solved = reference ? steps.find(([, error]) => error < reference.accuracy) : undefined;
    return (solved || steps[0])[0];
  });
  const exact = axis === "cnot" && reference ? reference.adapt.filter(([, error]) => error < reference.accuracy).slice(0, 1).map(([gates]) => gates) : [];
  const needed = Math.max(4, ...ends, ...exact, ...papers.map((row) => row[axis]));
  return Math.min(needed * 1.15 + 1, Math.max(needed, points.reduce((most, point) => Math.max(most, point[axis]), 0)) + 1);
}

function ticks(most, count) {
  const rough = most / count;
  const step = [1, 2, 5, 10, 20, 50, 100, 200, 500].find((one) => one >= rough) || rough;
  return Array.from({ length: Math.floor(most / step) + 1 }, (_, k) => k * step);
}

function plot() {
  const place = byId("place").value;
  const axis = byId("against").value;
  const svg = byId("plot");
  const [width, height] = [Math.max(300, Math.min(1100, byId("canvas").clientWidth)), byId("canvas").clientWidth < 600 ? 360 : 460];
  const [left, right, top, bottom] = [52, width - 12, 26, height - 44];
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.replaceChildren();
  const points = pointsOf.get(place) || [];
  const reference = data.references[place];
  const papers = data.published.filter((row) => row.place === place && row[axis] !== null);
  legend(points, reference, axis);
  if (!points.length) return;
  const small = (error) => Math.log10(Math.max(error, 1e-12));
  const most = widest(points, axis, reference, papers);
  const visible = points.filter((point) => !hidden.has(point.agent) && point[axis] <= most);
  const errors = [...unique(points.filter((point) => point[axis] <= most).map((point) => small(point.error))), ...papers.map((row) => small(row.error)), ...(reference ? [small(reference.accuracy), small(Math.max(reference.product, 1e-12))] : [])];
  const [low, high] = [Math.floor(Math.min(...errors)) - 0.25, Math.min(2, Math.max(...errors) + 0.3)];
  const x = (gates) => left + ((right - left) * gates) / most;
  const y = (error) => Math.min(bottom, bottom - ((bottom - top) * (small(error) - low)) / (high - low)); // lines end at the axis
  const line = (steps, kind) => svg.append(drawn("polyline", { points: steps.map(([gates, error]) => `${x(gates).toFixed(1)},${y(error).toFixed(1)}`).join(" "), class: `line ${kind}` }));
  for (const k of ticks(most, width < 600 ? 6 : 12)) svg.append(drawn("line", { x1: x(k), x2: x(k), y1: top, y2: bottom, class: "axis" }), drawn("text", { x: x(k), y: bottom + 18, "text-anchor": "middle" }, k));
  for (let k = Math.ceil(low); k <= high; k += Math.ceil((high - low) / 8)) svg.append(drawn("line", { x1: left, x2: right, y1: y(10 ** k), y2: y(10 ** k), class: "axis" }), drawn("text", { x: left - 6, y: y(10 ** k) + 4, "text-anchor": "end" }, k <= -12 ? "exact" : `1e${k}`));
  svg.append(drawn("text", { x: (left + right) / 2, y: height - 6, "text-anchor": "middle" }, byId("against").selectedOptions[0].text), drawn("text", { x: 4, y: 14, class: "title" }, `${place}: error${reference ? ` [${reference.unit || "infidelity"}]` : ""}`));
  if (reference) {
    svg.append(drawn("rect", { x: left, y: y(reference.accuracy), width: right - left, height: bottom - y(reference.accuracy), class: "goal" }));
    if (reference.product > 1e-12) svg.append(drawn("line", { x1: left, x2: right, y1: y(reference.product), y2: y(reference.product), class: "product" }));
  }
  const inside = (steps) => steps.filter(([gates, error]) => gates <= most && error > 0);
  if (reference && axis === "cnot") {
    line(stairs(inside(reference.adapt)), "adapt");
    line(stairs(inside(reference.block_floors || [])), "block-floor");
    line(stairs(inside(reference.floors)), "floor");
  }
  const onFront = new Set();
  for (const agent of unique(visible.map((point) => point.agent))) {
    const steps = front(visible.filter((point) => point.agent === agent), axis);
    steps.forEach(([gates, error]) => onFront.add(`${agent} ${gates} ${error}`));
    line(stairs(steps), styleOf(agent).colour);
  }
  const isBest = (point) => onFront.has(`${point.agent} ${point[axis]} ${point.error}`);
  // Of circuits at the same place, one is drawn.
  const distinct = new Map(visible.map((point) => [`${point.agent} ${point.circuit === "frozen"} ${x(point[axis]).toFixed(1)} ${y(point.error).toFixed(1)}`, point]));
  for (const point of sorted([...distinct.values()], (one) => Number(isBest(one)), 1)) {
    const { colour, shape } = styleOf(point.agent);
    const made = mark(shape, x(point[axis]), y(point.error), isBest(point) ? 4.5 : 3);
    made.setAttribute("class", `mark ${colour}${point.circuit === "frozen" ? " hollow" : ""}${isBest(point) ? "" : " faint"}`);
    made.setAttribute("tabindex", 0);
    made.append(drawn("title", {}, `${point.agent}, seed ${point.seed}${point.circuit === "frozen" ? ", frozen policy" : ""}: ${point.cnot} CNOTs, ${errorText(point.error)}`));
    made.addEventListener("click", () => open(point.hash, point.circuit));
    made.addEventListener("keydown", (event) => event.key === "Enter" && open(point.hash, point.circuit));
    svg.append(made);
  }
  for (const row of papers) {
    const [across, up] = [x(row[axis]), y(row.error)];
    const made = drawn("path", { d: `M${across} ${up - 7}l7 7l-7 7l-7 -7z`, class: "paper" });
    made.append(drawn("title", {}, `${row.method}, ${row.source}: ${row[axis]}, ${errorText(row.error)}${row.caveat ? `; ${row.caveat}` : ""}`));
    svg.append(made);
  }
  if (reference) {
    const hint = (value, shift, text) => svg.append(drawn("text", { x: right - 4, y: y(value) + shift, "text-anchor": "end", class: "hint" }, text));
    hint(reference.accuracy, 14, `solved below ${reference.accuracy}`);
    if (reference.product > 1e-12) hint(reference.product, -5, "best product state");
  }
}

function legend(points, reference, axis) {
  const keys = [];
  const sample = (kind) => {
    const box = drawn("svg", { viewBox: "0 0 22 10", class: "key" });
    box.append(drawn("line", { x1: 0, x2: 22, y1: 5, y2: 5, class: `line ${kind}` }));
    return box;
  };
  if (reference && axis === "cnot") {
    for (const [title, key, kind] of [["floor over gates", "floors", "floor"], ["floor over blocks", "block_floors", "block-floor"], ["qubit-ADAPT", "adapt", "adapt"]]) {
      if ((reference[key] || []).length) keys.push(element("span", [sample(kind), title], { class: "entry" }));
    }
  }
  for (const agent of unique(points.map((point) => point.agent))) {
    const { colour, shape } = styleOf(agent);
    const box = drawn("svg", { viewBox: "0 0 12 12", class: "key" });
    const dot = mark(shape, 6, 6, 4);
    dot.setAttribute("class", `mark ${colour}`);
    box.append(dot);
    const made = button(agent, () => { if (!hidden.delete(agent)) hidden.add(agent); plot(); }, { "aria-pressed": !hidden.has(agent), class: "entry" });
    made.prepend(box);
    keys.push(made);
  }
  byId("legend").replaceChildren(...keys);
}
