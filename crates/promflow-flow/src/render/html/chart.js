"use strict";
(() => {
  const stage = document.getElementById("stage");
  const svg = stage.querySelector("svg");
  const whole = svg.viewBox.baseVal;
  const full = { x: whole.x, y: whole.y, w: whole.width, h: whole.height };
  let view = { ...full };
  svg.removeAttribute("width");
  svg.removeAttribute("height");
  svg.setAttribute("preserveAspectRatio", "xMinYMin meet");
  const scale = () => Math.min(stage.clientWidth / view.w, stage.clientHeight / view.h);
  const show = () => svg.setAttribute("viewBox", `${view.x} ${view.y} ${view.w} ${view.h}`);
  const zoom = (factor, x = stage.clientWidth / 2, y = stage.clientHeight / 2) => {
    const width = Math.min(full.w * 2, Math.max(200, view.w / factor));
    const ratio = width / view.w;
    const at = { x: view.x + x / scale(), y: view.y + y / scale() };
    view = { x: at.x - (at.x - view.x) * ratio, y: at.y - (at.y - view.y) * ratio, w: width, h: view.h * ratio };
    show();
  };
  const move = (dx, dy) => { view.x -= dx / scale(); view.y -= dy / scale(); show(); };
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    if (event.ctrlKey || !event.shiftKey) zoom(event.deltaY < 0 ? 1.15 : 1 / 1.15, event.offsetX, event.offsetY);
    else move(-event.deltaY, 0);
  }, { passive: false });
  let from = null, moved = 0;
  stage.addEventListener("pointerdown", (event) => { from = { x: event.clientX, y: event.clientY }; moved = 0; });
  window.addEventListener("pointermove", (event) => {
    if (!from) return;
    const [dx, dy] = [event.clientX - from.x, event.clientY - from.y];
    moved += Math.abs(dx) + Math.abs(dy);
    stage.classList.toggle("is-moving", moved > 4);
    move(dx, dy);
    from = { x: event.clientX, y: event.clientY };
  });
  window.addEventListener("pointerup", () => { from = null; stage.classList.remove("is-moving"); });
  document.getElementById("in").onclick = () => zoom(1.3);
  document.getElementById("out").onclick = () => zoom(1 / 1.3);
  document.getElementById("whole").onclick = () => { view = { ...full }; show(); };

  const nodes = new Map([...svg.querySelectorAll(".node")].map((node) => [node.dataset.id, node]));
  const edges = [...svg.querySelectorAll(".edge[data-from]")];
  // Where edges meet: lit when one of them is.
  const points = [...svg.querySelectorAll(".edge.point")];
  const ends = (key) => edges.reduce((all, edge) => {
    const id = edge.dataset[key];
    return all.set(id, [...(all.get(id) ?? []), edge]);
  }, new Map());
  const [outOf, into] = [ends("from"), ends("to")];
  const follow = (start, ways, next, lit) => {
    const open = [start], seen = new Set(open);
    while (open.length) for (const edge of ways.get(open.pop()) ?? []) {
      const id = edge.dataset[next];
      lit.add(edge).add(nodes.get(id));
      if (!seen.has(id)) { seen.add(id); open.push(id); }
    }
  };
  let kept = null;
  const light = (id) => {
    svg.querySelectorAll(".is-lit").forEach((part) => part.classList.remove("is-lit"));
    svg.classList.toggle("is-lighting", Boolean(id));
    if (!id) return;
    const lit = new Set([nodes.get(id)]);
    follow(id, into, "from", lit);
    follow(id, outOf, "to", lit);
    for (const point of points) {
      const at = point.firstElementChild, way = `M${at.getAttribute("cx")} ${at.getAttribute("cy")}`;
      if ([...lit].some((part) => part?.querySelector(":scope > path")?.getAttribute("d").includes(way))) lit.add(point);
    }
    lit.forEach((part) => part?.classList.add("is-lit"));
  };
  const centre = (node) => {
    const box = node.getBBox();
    view.x = box.x + box.width / 2 - view.w / 2;
    view.y = box.y + box.height / 2 - view.h / 2;
    show();
  };
  const isSeen = (node) => {
    const box = node.getBBox(), width = stage.clientWidth / scale(), height = stage.clientHeight / scale();
    return box.x >= view.x && box.x + box.width <= view.x + width && box.y >= view.y && box.y + box.height <= view.y + height;
  };
  const keep = (id) => {
    nodes.get(kept)?.setAttribute("aria-pressed", "false");
    kept = id;
    nodes.get(kept)?.setAttribute("aria-pressed", "true");
    light(kept);
  };
  for (const [id, node] of nodes) {
    node.setAttribute("tabindex", "0");
    node.setAttribute("role", "button");
    node.setAttribute("aria-pressed", "false");
    node.addEventListener("pointerenter", () => { if (!from) light(id); });
    node.addEventListener("pointerleave", () => { if (!from) light(kept); });
    node.addEventListener("focus", () => { if (!from && !isSeen(node)) centre(node); light(id); });
    node.addEventListener("blur", () => light(kept));
    // A click that ends a drag is none; one by keyboard always is.
    node.addEventListener("click", (event) => { if (!event.detail || moved < 5) { keep(kept === id ? null : id); remember(); } });
  }
  const folds = JSON.parse(document.getElementById("folds").textContent);
  const search = document.getElementById("search"), found = document.getElementById("found");
  let hit = -1;
  const look = () => {
    hit = -1;
    const word = search.value.trim().toLowerCase();
    let count = 0;
    for (const [id, node] of nodes) {
      const isHit = word !== "" && `${id} ${node.textContent} ${(folds[id] ?? []).join(" ")}`.toLowerCase().includes(word);
      node.classList.toggle("is-found", isHit);
      count += isHit;
    }
    found.textContent = word === "" ? "" : count === 1 ? "1 node" : `${count} nodes`;
  };
  search.addEventListener("input", () => { look(); remember(); });
  search.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    const hits = svg.querySelectorAll(".is-found");
    if (hits.length === 0) return;
    hit = (hit + (event.shiftKey ? hits.length - 1 : 1)) % hits.length;
    centre(hits[hit]);
    light(hits[hit].dataset.id);
  });
  window.addEventListener("keydown", (event) => {
    if (event.target === search) { if (event.key === "Escape") search.blur(); return; }
    const step = 60;
    const keys = {
      ArrowLeft: () => move(step, 0), ArrowRight: () => move(-step, 0), ArrowUp: () => move(0, step), ArrowDown: () => move(0, -step),
      "+": () => zoom(1.3), "-": () => zoom(1 / 1.3), "0": () => { view = { ...full }; show(); }, "/": () => search.focus(),
      Escape: () => { keep(null); remember(); },
      Enter: () => document.activeElement?.dispatchEvent(new Event("click")),
    };
    if (keys[event.key] && !event.ctrlKey && !event.metaKey) { event.preventDefault(); keys[event.key](); }
  });
  const remember = () => {
    const state = new URLSearchParams();
    if (kept) state.set("node", kept);
    if (search.value) state.set("search", search.value);
    history.replaceState(null, "", state.size ? `#${state}` : location.pathname + location.search);
  };
  const state = new URLSearchParams(location.hash.slice(1));
  search.value = state.get("search") ?? "";
  look();
  keep(nodes.has(state.get("node")) ? state.get("node") : null);
  show();
})();
