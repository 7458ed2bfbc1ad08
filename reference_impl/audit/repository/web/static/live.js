"use strict";
(() => {
  const bar = document.querySelector("[data-live]");
  if (!bar || !window.EventSource) return;
  const button = bar.querySelector("button");
  const status = bar.querySelector("[role=status]");
  const body = document.querySelector("#trail tbody");
  const form = document.getElementById("row").content.firstElementChild;
  const more = document.getElementById("more");
  const known = new Set([...body.querySelectorAll("tr[data-at]")].map((row) => row.dataset.at));
  const most = 300;
  let source = null;
  let last = "";
  let fresh = 0;
  let left = 0;

  const pill = (element, value) => {
    if (!value) { element.remove(); return; }
    element.textContent = value.text;
    element.classList.add(value.kind);
  };

  const make = (values) => {
    const row = form.cloneNode(true);
    row.dataset.at = values.at;
    row.dataset.day = values.day;
    row.classList.add("new");
    const time = row.querySelector("time");
    time.textContent = values.time;
    time.title = values.full_time;
    for (const field of row.querySelectorAll("[data-field]")) {
      field.textContent = values[field.dataset.field];
      if (field.tagName === "SPAN" && !field.textContent) field.remove();
    }
    row.querySelector("a").href = "/message/" + Number(values.number);
    for (const each of row.querySelectorAll("[data-pill]")) pill(each, values[each.dataset.pill]);
    return row;
  };

  const headed = (day) => {
    const row = document.createElement("tr");
    row.className = "day";
    row.dataset.day = day;
    const cell = document.createElement("th");
    cell.scope = "rowgroup";
    cell.colSpan = 7;
    cell.textContent = day;
    row.append(cell);
    return row;
  };

  // Newest first: before the first row that is older, under the heading of its day.
  const insert = (values) => {
    if (known.has(values.at)) return;
    known.add(values.at);
    const row = make(values);
    const older = [...body.querySelectorAll("tr[data-at]")].find((each) => each.dataset.at < values.at) || null;
    let place = older;
    if (older && older.previousElementSibling && older.previousElementSibling.matches(".day")
        && older.previousElementSibling.dataset.day !== values.day) place = older.previousElementSibling;
    body.insertBefore(row, place);
    const before = row.previousElementSibling;
    if (!before || (before.matches(".day") ? before.dataset.day !== values.day : before.dataset.day !== values.day)) {
      body.insertBefore(headed(values.day), row);
    }
    fresh += 1;
  };

  const trim = () => {
    const rows = body.querySelectorAll("tr[data-at]");
    for (let number = most; number < rows.length; number += 1) {
      left += 1;
      known.delete(rows[number].dataset.at);
      rows[number].remove();
    }
    for (const day of body.querySelectorAll("tr.day")) {
      const next = day.nextElementSibling;
      if (!next || next.matches(".day")) day.remove();
    }
  };

  const say = (text) => { status.textContent = text; };
  const told = () => say(fresh === 1 ? "1 new message" : fresh + " new messages");

  const stop = (text) => {
    if (source) source.close();
    source = null;
    bar.classList.remove("on");
    button.setAttribute("aria-pressed", "false");
    say(text);
  };

  const start = () => {
    const address = new URL(bar.dataset.live, location.href);
    if (last) address.searchParams.set("from", last);
    source = new EventSource(address);
    button.setAttribute("aria-pressed", "true");
    source.onopen = () => { bar.classList.add("on"); if (!fresh) say("waiting for messages"); };
    source.onerror = () => {
      bar.classList.remove("on");
      if (source && source.readyState === EventSource.CLOSED) stop("ended; load the page again");
      else say("connection lost; trying again");
    };
    source.addEventListener("rows", (event) => {
      const values = JSON.parse(event.data);
      last = event.lastEventId;
      const nothing = document.getElementById("nothing");
      if (nothing && values.rows.length) nothing.remove();
      for (const each of values.rows) insert(each);
      trim();
      if (values.more || left) {
        more.hidden = false;
        more.querySelector("span").textContent = values.more ? "many messages arrived at once" : "older messages made room for new ones";
      }
      told();
    });
    source.addEventListener("alerts", (event) => {
      const count = document.getElementById("open-alerts");
      count.firstElementChild.textContent = event.data;
      count.hidden = !event.data;
    });
    source.addEventListener("end", (event) => stop(event.data));
  };

  for (const row of body.querySelectorAll("tr[data-at]")) {
    let heading = row.previousElementSibling;
    while (heading && !heading.matches(".day")) heading = heading.previousElementSibling;
    row.dataset.day = heading ? heading.dataset.day : "";
  }
  button.addEventListener("click", () => { if (source) stop("stopped"); else start(); });
  addEventListener("pagehide", () => { if (source) source.close(); });
  bar.hidden = false;
  start();
})();
