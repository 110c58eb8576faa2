const PAGE = 100;
const state = { page: 0 };

// -- summary ----------------------------------------------------------------------------------------------------------

const beats = (ours, theirs) => (ours !== null && theirs !== null && ours < theirs ? "better" : "");
const listed = (names) => {
  const shown = names.slice(0, 2).flatMap((name, k) => [...(k ? ["; "] : []), agentLink(name)]);
  return names.length > 2 ? [...shown, `; ${numberOf(names.length - 2, "more agent")}`] : shown;
};
const reference = (row, key) => (row[key] === null ? "–" : [String(row[key]), ...(beats(row.cnot, row[key]) ? [element("small", ` ${numberOf(row[key] - row.cnot, "more CNOT")}`)] : [])]);
const bound = (row, key) => (row[key] !== null ? number(row[key]) : row[`${key}_end`] === null ? "–" : `> ${row[`${key}_end`]}`);
const SUMMARY = [
  ["instance", (row) => row.instance, (row) => [placeLink(row.instance), " ", element("small", `${row.qubits} qubits`)], "word"],
  ["fewest CNOTs", (row) => row.cnot, (row) => (row.cnot === null ? "not solved" : button(String(row.cnot), () => open(row.hash, row.circuit), { class: "count", title: `error ${row.error}; show the circuit` }))],
  ["by Qiskit", (row) => row.transpiled, (row) => number(row.transpiled)],
  ["floor", (row) => row.floors, (row) => bound(row, "floors")],
  ["over blocks", (row) => row.block_floors, (row) => bound(row, "block_floors")],
  ["qubit-ADAPT", (row) => row.adapt, (row) => reference(row, "adapt")],
  ["published", (row) => row.published ?? row.partial, (row) => (row.paper === undefined ? "–" : [...(row.published === null ? [`${row.partial}, not all counted`] : reference(row, "published")), element("small", ` ${row.paper}${row.caveat ? `; ${row.caveat}` : ""}`, { class: "source" })]), "long"],
  ["found by", (row) => (row.finders || [""])[0], (row) => (row.finders ? listed(row.finders) : "–"), "long"],
  ["solved by", (row) => row.solved_by / row.agents, (row) => `${row.solved_by} of ${row.agents}`],
  ["plot", (row) => row.instance, (row) => button("plot", () => { byId("place").value = row.instance; choosePlace(); byId("fronts").scrollIntoView(); }, { class: "small" }), "tool"],
];

function showSummary() {
  const runs = new Set(data.board.map((row) => row.agent)).size;
  byId("scope").textContent = `${numberOf(data.records.length, "verified record")} of ${numberOf(runs, "agent")} on ${numberOf(Object.keys(data.places).length, "instance")}. Every circuit was simulated again, its gates were counted again, and errors are against the exact ground energy.`;
  byId("headlines").replaceChildren(...data.headlines.map((text) => element("li", text)));
  byId("footnote").textContent = data.footnote;
  byId("best").replaceChildren(table(data.summary, SUMMARY, { most: isNarrow() ? 6 : 12, name: "best-table" }));
}

function choosePlace() {
  const row = data.summary.find((one) => one.instance === byId("place").value);
  const told = [];
  if (row && row.cnot !== null) {
    told.push(`Fewest CNOTs below ${row.accuracy}${row.unit ? ` ${row.unit}` : ""}: ${row.cnot}, found by ${row.finders.slice(0, 3).join("; ")}${row.finders.length > 3 ? " and others" : ""}.`);
    const others = [["floor", "the floor over gates"], ["block_floors", "the floor over blocks"], ["adapt", "qubit-ADAPT"], ["published", "the shortest published circuit whose CNOTs are all counted"]];
    const known = others.map(([key, name]) => [row[key === "floor" ? "floors" : key], name]).filter(([value]) => value !== null);
    if (known.length) told.push(`For comparison: ${known.map(([value, name]) => `${value} for ${name}`).join(", ")}.`);
  } else if (row) told.push(`No agent has an error below ${row.accuracy}${row.unit ? ` ${row.unit}` : ""}.`);
  else told.push("Energies of this instance are noisy.");
  byId("caption").textContent = told.join(" ");
  plot();
}

// -- two agents -------------------------------------------------------------------------------------------------------

function pairs(first, second) {
  const rows = (agent) => new Map(data.board.filter((row) => row.name.split(" †")[0] === agent).map((row) => [`${row.suite}\n${row.instance}`, row]));
  const [mine, theirs] = [rows(first), rows(second)];
  return [...mine].filter(([key]) => theirs.has(key)).map(([key, row]) => ({ a: row, b: theirs.get(key) }));
}

function side(key, text, isLess) {
  const shown = (row, which) => {
    const [mine, other] = which === "a" ? [row.a, row.b] : [row.b, row.a];
    const isKnown = mine[key] !== null && other[key] !== null;
    const isBetter = isKnown && (isLess ? mine[key] < other[key] : mine[key] > other[key]);
    const content = [figure(mine[text])].flat();
    return isBetter ? element("strong", content, { class: "wins" }) : content;
  };
  return shown;
}

function duel() {
  const [first, second] = [byId("first").value, byId("second").value];
  const rows = pairs(first, second);
  const kinds = [["solved", "share", "solved", false], ["CNOTs", "cnot", "cnot_text", true], ["by Qiskit", "transpiled_value", "transpiled", true], ["evaluations", "first", "first_text", true]];
  const columns = [["instance", (row) => `${row.a.suite} ${row.a.instance}`, (row) => [placeLink(row.a.place), " ", element("small", row.a.suite)], "word"]];
  for (const [title, key, text, isLess] of kinds) {
    for (const which of ["a", "b"]) columns.push([`${title}, ${which === "a" ? first : second}`, (row) => row[which][key], (row) => side(key, text, isLess)(row, which), which === "a" ? "from" : ""]);
  }
  const count = (key, isLess) => rows.reduce(([a, b], row) => {
    if (row.a[key] === null || row.b[key] === null) return [a, b];
    const gap = (row.a[key] - row.b[key]) * (isLess ? 1 : -1);
    return [a + (gap < 0), b + (gap > 0)];
  }, [0, 0]);
  const told = (name, key, isLess) => { const [a, b] = count(key, isLess); return `${name}: ${a} for ${first}, ${b} for ${second}`; };
  byId("verdict").textContent = rows.length ? `Both played ${numberOf(rows.length, "instance")}. Number of them on which one is better: ${told("more seeds solved", "share", false)}; ${told("fewer CNOTs where both solve", "cnot", true)}; ${told("fewer evaluations where both solve", "first", true)}.` : "They have no instance of a suite in common.";
  byId("sides").replaceChildren(...(rows.length ? [table(rows, columns, { name: "sides-table", most: isNarrow() ? 6 : 12 })] : []));
}

function chooseAgents() {
  const names = unique(data.board.map((row) => row.name.split(" †")[0]));
  fill(byId("first"), names);
  fill(byId("second"), names);
  const wins = (name) => data.summary.filter((row) => (row.finders || []).includes(name)).length;
  const order = sorted(names, (name) => -wins(name), 1);
  const family = (name) => name.split(",")[0];
  const partner = order.find((name) => name !== "random" && family(name) !== family(order[0]) && pairs(order[0], name).length > 2);
  byId("first").value = order[0];
  byId("second").value = partner || order[1] || order[0];
}

// -- standings --------------------------------------------------------------------------------------------------------

const BOARD = [
  ["agent", (row) => row.name, (row) => agentLink(row.agent, row.name), "word"],
  ["solved", (row) => row.share, (row) => figure(row.solved)],
  ["error", (row) => row.error, (row) => figure(row.error_text)],
  ["CNOTs", (row) => row.cnot, (row) => figure(row.cnot_text)],
  ["simplified", (row) => row.simplified_value, (row) => figure(row.simplified)],
  ["by Qiskit", (row) => row.transpiled_value, (row) => figure(row.transpiled)],
  ["depth", (row) => row.depth, (row) => figure(row.depth_text)],
  ["evaluations", (row) => row.first, (row) => figure(row.first_text)],
  ["frozen: solved", (row) => row.frozen_share, (row) => figure(row.frozen)],
  ["frozen: CNOTs", (row) => row.frozen_cnot, (row) => figure(row.frozen_cnot_text)],
  ["command", (row) => row.command, (row) => commandButton(row.command), "tool"],
];
const EVALUATIONS = [1000, 10000, 100000, 1000000];
const ACROSS = [
  ["agent", (row) => row.agent, (row) => agentLink(row.agent, row.texts[0]), "word"],
  ["runs", (row) => row.runs, (row) => number(row.runs)],
  ["better than random", (row) => row.better && row.better[0], (row) => figure(row.texts[2])],
  ...EVALUATIONS.map((limit, k) => [`solved in ${number(limit)}`, (row) => row.profile[k], (row) => row.texts[3 + k]]),
];
const PUBLISHED = [
  ["instance", (row) => row.place, (row) => placeLink(row.place), "word"],
  ["method", (row) => row.method, (row) => row.method, "word"],
  ["error", (row) => row.error, (row) => errorText(row.error)],
  ["CNOTs", (row) => row.cnot, (row) => number(row.cnot)],
  ["rotations", (row) => row.rotations, (row) => number(row.rotations)],
  ["depth", (row) => row.depth, (row) => number(row.depth)],
  ["source", (row) => row.source, (row) => row.source, "long"],
  ["caveat", (row) => row.caveat, (row) => row.caveat || "–", "long"],
];
const RECORDS = [
  ["suite", (row) => row.suite, (row) => row.suite, "word"],
  ["instance", (row) => row.instance, (row) => row.instance, "word"],
  ["agent", (row) => row.agent, (row) => row.agent, "word"],
  ["seed", (row) => row.seed, (row) => String(row.seed)],
  ["solved", (row) => row.solved, (row) => (row.solved ? "yes" : "no")],
  ["error", (row) => row.error, (row) => errorText(row.error)],
  ["CNOTs", (row) => row.cnot, (row) => number(row.cnot)],
  ["simplified", (row) => row.simplified, (row) => number(row.simplified)],
  ["by Qiskit", (row) => row.transpiled, (row) => number(row.transpiled)],
  ["depth", (row) => row.depth, (row) => number(row.depth)],
  ["evaluations", (row) => row.evaluations, (row) => number(row.evaluations)],
  ["seconds", (row) => row.seconds, (row) => row.seconds.toFixed(1) + row.clock],
];

function chosen(row) {
  const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const text = `${row.suite} ${row.instance} ${row.agent} ${row.seed === undefined ? "" : `seed ${row.seed}`}`.toLowerCase();
  return ["suite", "instance", "agent"].every((name) => !byId(name).value || byId(name).value === row[name]) && words.every((word) => text.includes(word));
}

/** A part that is filled when it is opened for the first time. */
function folded(title, make, isOpen) {
  const made = element("details", element("summary", title));
  const fillOnce = () => { if (made.open && made.children.length === 1) made.append(...make()); };
  made.addEventListener("toggle", fillOnce);
  made.open = isOpen;
  fillOnce();
  return made;
}

function showBoard() {
  const isFiltered = ["suite", "instance", "agent", "search"].some((name) => byId(name).value);
  const rows = data.board.filter(chosen);
  const featured = data.summary.length ? data.summary[0].suites : [];
  byId("board").replaceChildren(...unique(rows.map((row) => row.suite)).map((suite) => {
    const some = rows.filter((row) => row.suite === suite);
    const instances = unique(some.map((row) => row.instance));
    const solved = instances.filter((name) => some.some((row) => row.instance === name && row.share > 0)).length;
    const many = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
    const title = [element("strong", suite), ` ${many(instances.length, "instance")}, ${many(unique(some.map((row) => row.agent)).length, "agent")}; ${solved} solved`];
    const make = () => [
      ...instances.flatMap((name) => {
        const of = sorted(sorted(some.filter((row) => row.instance === name), (row) => row.cnot, 1), (row) => row.share, -1);
        const columns = BOARD.filter(([title]) => !title.startsWith("frozen") || of.some((row) => row.frozen !== "-"));
        return [element("h3", placeLink(of[0].place)), table(of, columns)];
      }),
      ...(byId("instance").value || byId("search").value ? [] : together(suite)),
    ];
    return folded(title, make, isFiltered || (suite === featured[0] && !isNarrow()));
  }));
}

function together(suite) {
  const rows = data.across.filter((row) => row.suite === suite && (!byId("agent").value || byId("agent").value === row.agent));
  return [element("h3", "All instances of the suite"), element("p", "Better than random: how likely one of its runs is better than one of the random policy on the same instance (mean of the Mann-Whitney statistic with its interval). Solved in: share of its runs solved within that number of evaluations.", { class: "note" }), table(rows, ACROSS)];
}

function showRecords() {
  const rows = data.records.filter(chosen);
  const pages = Math.max(1, Math.ceil(rows.length / PAGE));
  byId("all-records").firstElementChild.textContent = `${numberOf(rows.length, "record")}: one run each, with its best circuit`;
  if (!byId("all-records").open) return;
  const page = (ordered) => ordered.slice(state.page * PAGE, (state.page + 1) * PAGE);
  state.page = Math.min(state.page, pages - 1);
  const made = table(rows, RECORDS, { name: "records-table", sort: 1, page, onSort: () => { state.page = 0; made.render(); told(); }, onClick: (row) => open(row.hash) });
  const where = element("span");
  const told = () => { where.textContent = ` page ${state.page + 1} of ${pages} `; };
  const move = (by) => { state.page = Math.min(pages - 1, Math.max(0, state.page + by)); made.render(); told(); };
  byId("records").replaceChildren(made);
  byId("pages").replaceChildren(button("previous", () => move(-1)), where, button("next", () => move(1)));
  told();
}

function showPublished() {
  byId("all-published").firstElementChild.textContent = `${data.published.length} published figures`;
  byId("published").replaceChildren(table(data.published, PUBLISHED, { name: "published-table" }));
}

function show() {
  showBoard();
  showRecords();
}

// -- a circuit --------------------------------------------------------------------------------------------------------

let wanted = null;
function open(hash, circuit) {
  wanted = circuit || "best";
  const script = element("script", undefined, { src: `circuits/${hash}.js` });
  script.onerror = () => shown([element("p", `circuits/${hash}.js is missing`)]);
  document.head.append(script);
}

function shown(content) {
  byId("detail").replaceChildren(button("close", () => byId("detail").close(), { class: "close" }), ...content);
  if (!byId("detail").open) byId("detail").showModal();
}

window.qasRecord = (record) => {
  const found = record.circuits[wanted] || record.circuits.best;
  const choices = element("p", Object.keys(record.circuits).map((name) => button(name, () => { wanted = name; window.qasRecord(record); }, { "aria-pressed": record.circuits[name] === found, class: "small" })), { class: "controls" });
  const counts = [["as built", found], ["simplified", found.simplified], ["by Qiskit, level 3", found.transpiled]].filter(([, one]) => one);
  const sizes = table(counts, [["circuit", (row) => row[0], (row) => row[0], "word"], ["CNOTs", (row) => row[1].two_qubit_gates, (row) => number(row[1].two_qubit_gates)], ["gates", (row) => row[1].gates, (row) => number(row[1].gates)], ["depth", (row) => row[1].depth, (row) => number(row[1].depth)]], { isSmall: true });
  shown([
    element("h2", `${record.instance}, ${record.agent}, seed ${record.seed}`),
    choices,
    element("p", `Energy ${found.energy}, error ${errorText(found.energy_error)}. ${record.verified}`),
    sizes,
    element("pre", found.drawing),
    element("h3", "Command"),
    element("p", [element("code", record.command), " ", commandButton(record.command)]),
    element("h3", "OpenQASM 3"),
    element("pre", found.qasm),
    element("p", `Record ${record.hash}`, { class: "note hash" }),
  ]);
};

// -- start ------------------------------------------------------------------------------------------------------------

const THEMES = ["system", "light", "dark"];
function theme(name) {
  if (name === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  byId("theme").textContent = `Theme: ${name}`;
  try { localStorage.setItem("theme", name); } catch { /* pages from disk may have no storage */ }
}
let stored = null;
try { stored = localStorage.getItem("theme"); } catch { /* as above */ }
theme(THEMES.includes(stored) ? stored : "system");
byId("theme").addEventListener("click", () => theme(THEMES[(THEMES.indexOf(document.documentElement.dataset.theme || "system") + 1) % THEMES.length]));

fill(byId("suite"), unique(data.records.map((row) => row.suite)), "all suites");
fill(byId("instance"), unique(data.records.map((row) => row.instance)), "all instances");
fill(byId("agent"), allAgents, "all agents");
fill(byId("place"), unique([...data.summary.map((row) => row.instance), ...Object.keys(data.places)]));
byId("filters").addEventListener("input", () => { state.page = 0; show(); });
byId("filters").addEventListener("submit", (event) => event.preventDefault());
byId("place").addEventListener("input", choosePlace);
byId("against").addEventListener("input", plot);
for (const name of ["first", "second"]) byId(name).addEventListener("input", duel);
byId("all-records").addEventListener("toggle", showRecords);
byId("all-published").addEventListener("toggle", () => byId("all-published").open && showPublished());
byId("detail").addEventListener("click", (event) => event.target === byId("detail") && byId("detail").close());
window.addEventListener("resize", plot);
byId("all-published").firstElementChild.textContent = `${data.published.length} published figures`;
showSummary();
choosePlace();
chooseAgents();
duel();
show();
document.body.dataset.ready = "yes";
