"use strict";
(() => {
  const steps = [], errors = [];
  window.addEventListener("error", (event) => errors.push(String(event.message)));
  const check = (what, ok) => steps.push({ what, ok: Boolean(ok) });
  const svg = document.querySelector("#stage svg"), search = document.getElementById("search");
  const box = () => svg.getAttribute("viewBox");
  const key = (name, target = document.body) =>
    target.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true }));
  const node = (id) => svg.querySelector(`.node[data-id="${id}"]`);
  const lit = () => [...svg.querySelectorAll(".node.is-lit")].map((part) => part.dataset.id);
  const opened = svg.querySelector('.node[aria-pressed="true"]')?.dataset.id ?? null;
  const alert = node("alert:HttpHighErrorRatio"), receiver = svg.querySelector(".node.receiver");

  key("Escape");
  search.value = "ratio";
  search.dispatchEvent(new Event("input"));
  const hits = svg.querySelectorAll(".is-found").length;
  check("search marks what it finds", hits > 0 && document.getElementById("found").textContent.startsWith(String(hits)));
  let before = box();
  key("Enter", search);
  check("Enter in the search goes to what is found", box() !== before && lit().length > 0);
  search.value = "nothing has this name";
  search.dispatchEvent(new Event("input"));
  check("search says when it finds nothing", document.getElementById("found").textContent === "0 nodes");
  search.value = "";
  search.dispatchEvent(new Event("input"));
  check("an empty search marks nothing", svg.querySelectorAll(".is-found").length === 0);

  before = box();
  key("+");
  check("+ zooms", box() !== before);
  key("ArrowRight");
  check("arrows move", box() !== before);
  key("0");
  check("0 shows everything", box() === `0 0 ${svg.viewBox.baseVal.width} ${svg.viewBox.baseVal.height}`);
  key("/");
  check("/ goes to the search", document.activeElement === search);
  key("Escape", search);
  check("Escape leaves the search", document.activeElement !== search);

  receiver.dispatchEvent(new PointerEvent("pointerenter"));
  check("pointing lights the path", lit().includes(receiver.dataset.id) && lit().includes(alert.dataset.id));
  check("the rest is dimmed", svg.classList.contains("is-lighting"));
  receiver.dispatchEvent(new PointerEvent("pointerleave"));
  check("the light goes with the pointer", lit().length === 0);

  const stage = document.getElementById("stage");
  stage.dispatchEvent(new PointerEvent("pointerdown", { clientX: 10, clientY: 10, bubbles: true }));
  window.dispatchEvent(new PointerEvent("pointermove", { clientX: 90, clientY: 60 }));
  window.dispatchEvent(new PointerEvent("pointerup", {}));
  check("dragging moves", !box().startsWith("0 0 "));
  alert.focus();
  check("the keyboard reaches nodes", document.activeElement === alert && lit().includes(alert.dataset.id));
  key("Enter", alert);
  check("Enter selects, after a drag too", alert.getAttribute("aria-pressed") === "true");
  check("a selection is in the address", location.hash.includes("node="));
  alert.blur();
  check("a selection stays lit", lit().includes(receiver.dataset.id));
  const address = location.hash;

  const out = document.createElement("pre");
  out.id = "steps";
  out.textContent = JSON.stringify({ steps, errors, opened, address });
  document.body.append(out);
})();
