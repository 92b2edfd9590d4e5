/**
 * Changes single values of a TOML document and leaves everything else as it is, comments too.
 */

/** The lines that are not inside of a text of several lines. @param {string[]} lines @returns {boolean[]} */
function plainLines(lines) {
  let mark = "";
  return lines.map((line) => {
    const plain = !mark;
    for (const [found] of line.matchAll(/"""|'''/g)) {
      if (!mark) mark = found;
      else if (mark === found) mark = "";
    }
    return plain;
  });
}

/** The comment behind a value, with the space before it; "" without one. @param {string} line */
function commentOf(line) {
  let quote = "";
  for (let at = 0; at < line.length; at += 1) {
    const each = line[at];
    if (quote) {
      if (each === "\\" && quote === '"') at += 1;
      else if (each === quote) quote = "";
    } else if (each === '"' || each === "'") quote = each;
    else if (each === "#") return ` ${line.slice(at)}`;
  }
  return "";
}

/**
 * Sets a value in a table, or takes it out.
 *
 * @param {string} document
 * @param {{header: string, kind?: string}} table `[settings]`, `[[resources]]` with the value of its `kind`, or "" for what
 *   stands before all tables
 * @param {string} name
 * @param {any} value a text, number, truth, or list of them; null takes the line out
 * @returns {string}
 * @throws {Error} where the value that is there takes several lines
 */
export function setValue(document, table, name, value) {
  const lines = document.split("\n");
  const plain = plainLines(lines);
  const isHeader = (/** @type {number} */ at) => plain[at] && /^\s*\[/.test(lines[at]) && !/^\s*\[.*=/.test(lines[at]);
  const bare = (/** @type {string} */ line) => line.replace(/#.*$/s, "").trim();
  const endOf = (/** @type {number} */ at) => {
    let end = at + 1;
    while (end < lines.length && !isHeader(end)) end += 1;
    return end;
  };
  const written = `${name} = ${JSON.stringify(value)}`;
  const isWanted = (/** @type {number} */ at) => (at < 0 ? !table.header : isHeader(at) && bare(lines[at]) === table.header);
  for (let at = -1; at < lines.length; at += 1) {
    if (!isWanted(at)) continue;
    const end = endOf(at);
    if (table.kind && !lines.slice(at, end).some((line) => new RegExp(`^\\s*kind\\s*=\\s*["']${table.kind}["']`).test(line))) continue;
    for (let here = at + 1; here < end; here += 1) {
      const found = plain[here] && new RegExp(`^\\s*${name}\\s*=\\s*(.*)$`, "s").exec(lines[here]);
      if (!found) continue;
      if (/"""|'''/.test(found[1]) || (found[1].startsWith("[") && !bare(found[1]).endsWith("]")))
        throw new Error(`${name}: takes several lines; expected one`);
      const comment = commentOf(found[1]);
      lines.splice(here, 1, ...(value === null ? [] : [written + comment]));
      return lines.join("\n");
    }
    if (value !== null) lines.splice(at + 1, 0, written);
    return lines.join("\n");
  }
  if (value === null) return document;
  return [document.trimEnd(), "", table.header, ...(table.kind ? [`kind = ${JSON.stringify(table.kind)}`] : []), written, ""].join("\n");
}
