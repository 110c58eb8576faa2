function sorted(rows, value, direction) {
  const isMissing = (found) => found === null || found === undefined;
  return [...rows].sort((a, b) => {
    const [left, right] = [value(a), value(b)];
    if (isMissing(left) || isMissing(right)) return isMissing(left) - isMissing(right); // what is missing comes last
    return left === right ? 0 : (left < right ? -1 : 1) * direction;
  });
}

/**
 * A table that sorts by its columns. In narrow windows each row is a card, and a list of the columns sorts them.
 *
 * columns: [title, value for sorting, content of a cell, class]; options: sort (column), direction, name, onClick,
 * most (rows shown at first), page (function from the sorted rows to those shown), isSmall (fits any window as it is).
 */
function table(rows, columns, options = {}) {
  const state = { column: options.sort ?? null, direction: options.direction || 1, all: !options.most };
  const head = element("tr");
  const body = element("tbody");
  const chooser = element("select", columns.map(([title], k) => element("option", title, { value: k })), { class: "sorter", "aria-label": "Sort by" });
  const made = element("div", null, { class: "table" });
  const turn = (k) => {
    state.direction = k === state.column ? -state.direction : 1;
    state.column = k;
    render();
    if (options.onSort) options.onSort(state);
  };
  columns.forEach(([title, , , kind], k) => {
    const cell = element("th", title, { scope: "col", tabindex: 0, class: kind || "" });
    cell.addEventListener("click", () => turn(k));
    cell.addEventListener("keydown", (event) => event.key === "Enter" && turn(k));
    head.append(cell);
  });
  chooser.addEventListener("input", () => { state.column = null; turn(Number(chooser.value)); });
  const more = button("", () => { state.all = !state.all; render(); }, { class: "more" });
  function line(row) {
    const found = element("tr");
    for (const [title, , content, kind] of columns) {
      const given = content(row);
      found.append(element("td", given, { class: `${kind || ""}${given === "–" ? " none" : ""}`, "data-label": title }));
    }
    if (options.onClick) {
      found.className = "open";
      found.tabIndex = 0;
      found.addEventListener("click", () => options.onClick(row));
      found.addEventListener("keydown", (event) => event.key === "Enter" && event.target === found && options.onClick(row));
    }
    return found;
  }
  function render() {
    [...head.children].forEach((cell, k) => {
      if (k === state.column) cell.setAttribute("aria-sort", state.direction > 0 ? "ascending" : "descending");
      else cell.removeAttribute("aria-sort");
    });
    if (state.column !== null) chooser.value = state.column;
    const ordered = state.column === null ? rows : sorted(rows, columns[state.column][1], state.direction);
    const shown = options.page ? options.page(ordered) : state.all ? ordered : ordered.slice(0, options.most);
    body.replaceChildren(...shown.map(line));
    more.textContent = state.all ? "Show fewer" : `Show all ${rows.length}`;
  }
  const whole = element("table", [element("thead", head), body]);
  if (options.name) whole.id = options.name;
  if (options.isSmall) made.className = "";
  else made.append(element("label", ["Sort by ", chooser], { class: "sorter" }));
  made.append(whole);
  if (options.most && rows.length > options.most) made.append(more);
  made.render = render;
  render();
  return made;
}
