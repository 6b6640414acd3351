/**
 * A reader for the YAML of experiments, good enough to show values and differences: maps and lists
 * in block and flow style, plain and quoted scalars. Whether an experiment is right, the server says.
 */

/**
 * Lists the scalar values of a YAML text by key path.
 * @param {string} text
 * @returns {Map<string, {value: string, line: number}>} Lines count from 0.
 */
export function flatten(text) {
  const found = new Map();
  const open = [{ indent: -1, path: [], items: -1 }];
  text.split("\n").forEach((raw, line) => {
    const plain = withoutComment(raw);
    if (!plain.trim()) return;
    let indent = plain.search(/\S/);
    let rest = plain.slice(indent);
    while (/^-(\s|$)/.test(rest)) {
      enterItem(open, indent);
      const gap = rest.match(/^-\s*/)[0].length;
      indent += gap;
      rest = rest.slice(gap);
    }
    if (rest) entry(open, indent, rest, line, found);
  });
  return found;
}

function enterItem(open, indent) {
  while (open.at(-1).indent > indent || (open.at(-1).indent === indent && open.at(-1).isItem)) open.pop();
  const list = open.at(-1);
  list.items += 1;
  open.push({ indent, path: [...list.path, String(list.items)], items: -1, isItem: true });
}

function entry(open, indent, rest, line, found) {
  while (open.at(-1).indent >= indent) open.pop();
  const { path } = open.at(-1);
  const match = rest.match(/^("[^"]*"|'[^']*'|[^\s{["'][^:]*?)\s*:(\s+(.*))?$/);
  if (!match) return continued(open.at(-1), rest, line, found);
  const here = [...path, unquoted(match[1])];
  const value = (match[3] ?? "").trim();
  if (value && !/^[>|][-+]?$/.test(value)) flow(value, here, line, found);
  else {
    found.set(here.join("."), { value: "", line });
    open.push({ indent, path: here, items: -1 });
  }
}

/** A scalar of a list, or one more line of a longer text. */
function continued({ path, isItem }, rest, line, found) {
  const known = found.get(path.join("."));
  if (isItem && !known) flow(rest, path, line, found);
  else if (known) known.value = `${known.value} ${rest}`.trim();
}

/** Takes apart `{a: 1, b: [2, 3]}`; a list of scalars stays one value. */
function flow(text, path, line, found) {
  found.set(path.join("."), { value: unquoted(text), line });
  if (!/^\{.*\}$/.test(text)) return;
  for (const part of split(text.slice(1, -1))) {
    const colon = part.indexOf(":");
    if (colon > 0) flow(part.slice(colon + 1).trim(), [...path, unquoted(part.slice(0, colon).trim())], line, found);
  }
}

function split(text) {
  const parts = [];
  let depth = 0, start = 0;
  [...text].forEach((letter, at) => {
    if ("[{".includes(letter)) depth += 1;
    else if ("]}".includes(letter)) depth -= 1;
    else if (letter === "," && depth === 0) { parts.push(text.slice(start, at)); start = at + 1; }
  });
  return [...parts, text.slice(start)].map((part) => part.trim()).filter(Boolean);
}

function withoutComment(line) {
  return line.replace(/(^|\s)#(?=([^"]*"[^"]*")*[^"]*$).*$/, "");
}

function unquoted(text) {
  const quoted = text.match(/^"(.*)"$|^'(.*)'$/);
  return quoted ? quoted[1] ?? quoted[2] : text;
}

/**
 * Compares two experiments.
 * @returns {{path: string, a: string|null, b: string|null}[]} What differs; null: not there.
 */
export function differences(a, b) {
  const [left, right] = [flatten(a), flatten(b)];
  const paths = new Set([...left.keys(), ...right.keys()]);
  return [...paths]
    .map((path) => ({ path, a: left.get(path)?.value ?? null, b: right.get(path)?.value ?? null }))
    .filter((row) => row.a !== row.b);
}

/** The line of a key path, or of the nearest part of it that stands in the text; -1: none. */
export function lineOf(flat, path) {
  for (let parts = path.split("."); parts.length; parts = parts.slice(0, -1)) {
    const found = flat.get(parts.join("."));
    if (found) return found.line;
  }
  return -1;
}
