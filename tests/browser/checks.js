// What is wrong with a page for those who cannot see it, or not well: names, headers, contrast. Returns sentences.
const wrong = [];
const say = (rule, element) => wrong.push(`${rule}: ${element.outerHTML.slice(0, 140)}`);
const isShown = (element) => element.checkVisibility && element.checkVisibility();

function nameOf(element) {
  const label = element.getAttribute("aria-label");
  if (label) return label;
  const by = element.getAttribute("aria-labelledby");
  if (by) return document.getElementById(by)?.textContent ?? "";
  if (element.labels?.length) return element.labels[0].textContent;
  return element.textContent.trim() || element.getAttribute("title") || "";
}

for (const each of document.querySelectorAll("img")) if (!each.alt) say("no alternative text", each);
for (const each of document.querySelectorAll("[role=img], [role=region], [role=group], button, select, input, a, nav, section")) {
  if (isShown(each) && !nameOf(each)) say("no name", each);
}
for (const each of document.querySelectorAll("svg:not([role]):not([aria-hidden])")) if (!each.closest("svg[role]")) say("a picture without role", each);
for (const each of document.querySelectorAll("th")) if (!["row", "col"].includes(each.scope)) say("no scope", each);
for (const each of document.querySelectorAll("table")) {
  if (!each.tHead || !nameOf(each.closest("[role=region]") ?? each)) say("a table without header or name", each);
}
for (const each of document.querySelectorAll("[aria-sort]")) if (each.tagName !== "TH") say("sorted what is no header", each);
const levels = [...document.querySelectorAll("h1, h2, h3, h4")].filter(isShown).map((each) => Number(each.tagName[1]));
levels.forEach((level, i) => i && level > levels[i - 1] + 1 && wrong.push(`a level of headings is skipped, number ${i}`));
if (levels.filter((level) => level === 1).length !== 1) wrong.push("not one first heading");
for (const name of ["main", "nav", "header", "footer"]) if (document.querySelectorAll(name).length !== 1) wrong.push(`not one ${name}`);
if (!document.documentElement.lang) wrong.push("no language");
const ids = [...document.querySelectorAll("[id]")].map((each) => each.id);
if (new Set(ids).size !== ids.length) wrong.push("an id is there twice");

// Contrast by WCAG 2: 4.5, and 3 for large text.
const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
function rgba(color) {
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = color;
  canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data];
}
function luminance([r, g, b]) {
  const [x, y, z] = [r, g, b].map((value) => {
    const c = value / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
}
function groundOf(element) {
  for (let each = element; each; each = each.parentElement) {
    const color = rgba(getComputedStyle(each).backgroundColor);
    if (color[3] === 255) return color;
  }
  return [255, 255, 255, 255];
}
const seen = new Set();
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.textContent.trim() || seen.has(element)) continue;
  seen.add(element);
  if (!isShown(element) || element.closest("svg, script, style, noscript, option")) continue;
  const style = getComputedStyle(element);
  const [a, b] = [luminance(rgba(style.color)), luminance(groundOf(element))].sort((x, y) => y - x);
  const ratio = (a + 0.05) / (b + 0.05);
  const size = parseFloat(style.fontSize);
  const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  if (ratio < (isLarge ? 3 : 4.5)) say(`contrast ${ratio.toFixed(2)}`, element);
}
return wrong;
