// Answers as one types: the form is sent by POST, the answer put beside it; an older request is given up.
"use strict";

const form = document.getElementById("patient");
const answer = document.getElementById("answer");
const failed = document.getElementById("failed");
const spoken = document.getElementById("spoken");
const which = document.getElementById("if-feature");
const instead = document.getElementById("if-value");
const slider = document.getElementById("if-slider");
const comma = document.documentElement.lang === "sv";
const PAUSE_MS = 250, STEPS = 200;
let waiting = 0, asking = null;

async function ask() {
  if (asking) asking.abort();
  const mine = asking = new AbortController();
  form.dataset.state = "asking";
  try {
    const response = await fetch(form.dataset.answer, {
      method: "POST",
      headers: { "X-Console-Form": document.querySelector("meta[name=console-form]").content, Accept: "application/json" },
      body: new URLSearchParams(new FormData(form)),
      signal: mine.signal,
    });
    if (!response.ok) throw new Error(String(response.status));
    const told = await response.text();
    if (mine !== asking) return;
    answer.innerHTML = told;
    name_set_aside();
    spoken.textContent = answer.querySelector("[data-summary]").textContent;
    failed.hidden = true;
    form.dataset.state = "answered";
    window.drawCharts(answer);
  } catch (error) {
    if (mine !== asking || error.name === "AbortError") return;
    failed.hidden = false;
    form.dataset.state = "failed";
  }
}

function name_set_aside() {
  const told = new Map([...answer.querySelectorAll("[data-set-aside] li")].map((li) => [li.dataset.feature, li.textContent]));
  for (const field of form.querySelectorAll("[data-field]")) {
    const why = told.get(field.dataset.field) || "";
    field.querySelector(".aside").textContent = why;
    const control = field.querySelector("input, select");
    if (why) control.setAttribute("aria-invalid", "true"); else control.removeAttribute("aria-invalid");
  }
}

function soon() {
  clearTimeout(waiting);
  form.dataset.state = "waiting";
  waiting = setTimeout(ask, PAUSE_MS);
}

// The slider spans the plausible range, in the unit that was chosen for the value.
function span() {
  const field = which.value && form.querySelector(`[data-field="${which.value}"]`);
  slider.hidden = !field;
  document.getElementById("if-unit").textContent = "";
  if (!field) return;
  const unit = field.querySelector("option:checked[data-lowest], span[data-lowest]");
  const lowest = Number(unit.dataset.lowest), highest = Number(unit.dataset.highest);
  const whole = Number.isInteger(lowest) && Number.isInteger(highest) && highest - lowest > 20;
  slider.min = lowest;
  slider.max = highest;
  slider.step = whole ? Math.max(1, Math.round((highest - lowest) / STEPS)) : Number(((highest - lowest) / STEPS).toPrecision(1));
  document.getElementById("if-unit").textContent = unit.textContent === "1" ? "" : unit.textContent;
  const now = Number(instead.value.replace(",", "."));
  if (instead.value && Number.isFinite(now)) slider.value = now;
}

form.addEventListener("input", (event) => {
  if (event.target === which) {
    const typed = which.value && form.querySelector(`[data-field="${which.value}"] input`);
    instead.value = typed ? typed.value : "";
  } else if (event.target === slider) {
    const value = String(Number(Number(slider.value).toPrecision(6)));
    instead.value = comma ? value.replace(".", ",") : value;
  }
  if (event.target !== slider) span();
  if (event.target.id !== "care-unit") soon();
});
span();
