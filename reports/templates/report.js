// Adds filter and search. Everything can be read without it.
(() => {
  "use strict";
  const form = document.getElementById("filter");
  if (!form) return;
  const findings = [...document.querySelectorAll("details.finding")];
  const words = findings.map((finding) => finding.textContent.toLowerCase());
  const search = document.getElementById("search");
  const boxes = [...form.querySelectorAll("input[name=verdict]")];
  const shown = document.getElementById("shown");

  const filter = () => {
    const asked = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const kinds = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    let count = 0;
    findings.forEach((finding, index) => {
      const fits = kinds.has(finding.dataset.verdict) && asked.every((word) => words[index].includes(word));
      finding.hidden = !fits;
      count += fits ? 1 : 0;
    });
    for (const part of document.querySelectorAll("#requirements .group, #requirements .claim")) {
      part.hidden = !part.querySelector("details.finding:not([hidden])");
    }
    shown.textContent = `${count} of ${findings.length} requirements`;
  };

  const fold = (open) => findings.forEach((finding) => { if (!finding.hidden) finding.open = open; });

  // A link may lead to a finding that the filter hides or that is folded.
  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    if (target.closest("[hidden]")) { form.reset(); filter(); }
    for (let part = target.closest("details"); part; part = part.parentElement.closest("details")) part.open = true;
    target.scrollIntoView();
  };

  let folded = [];
  addEventListener("beforeprint", () => {
    folded = findings.filter((finding) => !finding.open);
    folded.forEach((finding) => { finding.open = true; });
  });
  addEventListener("afterprint", () => folded.forEach((finding) => { finding.open = false; }));
  addEventListener("hashchange", reveal);
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(filter));
  document.getElementById("unfold").addEventListener("click", () => fold(true));
  document.getElementById("fold").addEventListener("click", () => fold(false));
  form.hidden = false;
  filter();
  reveal();
})();
