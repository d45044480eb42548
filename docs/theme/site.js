// Draw the formulas that pymdownx.arithmatex marked, \(...\) in a line and \[...\] in a paragraph of its own.
for (const element of document.querySelectorAll(".arithmatex")) {
  const formula = element.textContent.trim();
  katex.render(formula.slice(2, -2), element, { displayMode: formula.startsWith("\\["), throwOnError: false });
}

// Keep an option such as --min-confidence on one line: browsers break lines after its hyphens.
for (const code of document.querySelectorAll(":not(pre) > code")) {
  if (code.textContent.length < 32) code.style.whiteSpace = "nowrap";
}
