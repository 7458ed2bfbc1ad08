
"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const check = document.body.dataset.check;
  const shown = new Map();
  let name = sessionStorage.getItem("name") || "";
  let failures = 0;

  const say = (text) => { if (byId("status").textContent !== text) byId("status").textContent = text; };

  const sign = () => {
    byId("who").hidden = Boolean(name);
    byId("signed").hidden = !name;
    byId("by").textContent = name;
    byId("tasks").hidden = !name;
  };

  byId("who").addEventListener("submit", (event) => {
    event.preventDefault();
    name = byId("name").value.trim();
    sessionStorage.setItem("name", name);
    sign();
  });
  byId("other").addEventListener("click", () => { name = ""; sign(); byId("name").focus(); });

  const reply = async (task, said) => {
    const answer = await fetch("/reply", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ task, said, by: name, check }),
    });
    say(answer.ok ? "Recorded." : await answer.text());
    await poll();
  };

  const make = (task) => {
    const section = byId("task").content.firstElementChild.cloneNode(true);
    const find = (selector) => section.querySelector(selector);
    const asked = task.kind === "ask";
    find(".where").textContent = task.sut + (asked && task.of === 1 ? "" : ` \u2013 ${asked ? "" : "trial "}${task.number} of ${task.of}`);
    find("h2").textContent = task.title;
    find(".text").textContent = task.text;
    const free = asked && !task.choices.length;
    find(".answer").hidden = !free;
    find("textarea").required = free;
    find(".done").hidden = task.choices.length > 0;
    for (const choice of task.choices) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "choice";
      button.textContent = choice;
      button.addEventListener("click", () => reply(task.id, choice));
      find(".buttons").insertBefore(button, find(".skip"));
    }
    find("progress").max = Math.max(task.seconds, 1);
    find("form").addEventListener("submit", (event) => {
      event.preventDefault();
      reply(task.id, asked ? find("textarea").value : "done");
    });
    find(".skip").addEventListener("click", () => reply(task.id, "skip"));
    byId("tasks").append(section);
    return { section, seconds: find(".seconds"), progress: find("progress") };
  };

  const show = (state) => {
    const open = new Set(state.tasks.map((task) => task.id));
    for (const [id, part] of shown) {
      if (!open.has(id)) { part.section.remove(); shown.delete(id); }
    }
    let news = "";
    for (const task of state.tasks) {
      if (!shown.has(task.id)) { shown.set(task.id, make(task)); news = `${task.sut}: ${task.text}`; }
      const part = shown.get(task.id);
      part.seconds.textContent = `${Math.ceil(task.seconds)} seconds left`;
      part.progress.value = task.seconds;
    }
    if (news) say(news);
    else if (!state.tasks.length) say("Nothing is to be done at the moment.");
  };

  const poll = async () => {
    try {
      const answer = await fetch("/state");
      if (!answer.ok) throw new Error(answer.status);
      show(await answer.json());
      failures = 0;
    } catch {
      failures += 1;
      if (failures > 2) { show({ tasks: [] }); say("The run has ended. This page can be closed."); }
    }
  };

  const repeat = async () => { await poll(); setTimeout(repeat, failures > 2 ? 5000 : 1000); };
  sign();
  repeat();
})();
