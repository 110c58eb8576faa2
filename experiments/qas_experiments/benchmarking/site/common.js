"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const isNarrow = () => window.matchMedia("(max-width: 50rem)").matches;
const unique = (values) => [...new Set(values)];
const number = (value) => (value === null || value === undefined ? "–" : value.toLocaleString("en"));
const numberOf = (value, noun) => `${number(value)} ${noun}${value === 1 ? "" : "s"}`;
const errorText = (value) => (value === null || value === undefined ? "–" : value < 1e-9 ? "exact" : value.toExponential(1));

function element(name, content, attributes = {}) {
  const made = document.createElement(name);
  if (content !== undefined && content !== null) made.append(...[content].flat());
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function drawn(name, attributes, content) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (content !== undefined) made.textContent = content;
  return made;
}

function button(text, action, attributes = {}) {
  const made = element("button", text, { type: "button", ...attributes });
  made.addEventListener("click", (event) => { event.stopPropagation(); action(made); });
  return made;
}

/** A name as a link to its page in the docs, if there is one. */
function linked(text, page) {
  return data.docs && page ? element("a", text, { href: `${data.docs}${page}.html` }) : element("span", text);
}
const agentLink = (agent, text) => linked(text || agent, data.agents[agent]);
const placeLink = (place) => linked(place, data.places[place]);

/** A figure on one line and its interval below, in smaller letters. */
function figure(text) {
  if (text === null || text === undefined || text === "-") return "–";
  const found = /^(\S+) (.+)$/.exec(String(text).replace(/e([+-])0(\d)/g, "e$1$2"));
  return found ? [found[1], " ", element("small", found[2].replace(/[()]/g, ""))] : String(text).replace(/e([+-])0(\d)/g, "e$1$2");
}

function fill(select, values, all) {
  const options = values.map((value) => element("option", value, { value }));
  select.replaceChildren(...(all ? [element("option", all, { value: "" })] : []), ...options);
}

/** A button that copies a command, and shows it below the row where copying is not allowed. */
function commandButton(command) {
  const made = button("copy", () => {
    const told = (text) => { made.textContent = text; setTimeout(() => { made.textContent = "copy"; }, 1500); };
    const shown = () => {
      const box = element("pre", command, { class: "command" });
      if (made.parentElement.querySelector("pre")) made.parentElement.querySelector("pre").remove();
      else made.after(box);
    };
    if (!navigator.clipboard) shown();
    else navigator.clipboard.writeText(command).then(() => told("copied"), shown);
  }, { class: "small", title: command });
  return made;
}
