// Hover, filters and the keyboard for the heat maps of a report. All of it is in the page without this script, builds beyond the listed ones
// apart. Text from the repository is only ever set as text, never as markup.
"use strict";
(() => {
  const COLUMNS = 500, HEIGHT = 20, BEHIND = 11, DOUBT = 5, PAGE = 20;

  const make = (tag, props, ...children) => {
    const e = Object.assign(document.createElement(tag), props);
    e.append(...children);
    return e;
  };

  function theme() {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    let now = dark ? "dark" : "light";
    const button = make("button", { type: "button", className: "theme" });
    const show = () => { button.textContent = now === "dark" ? "Light colours" : "Dark colours"; };
    button.addEventListener("click", () => {
      now = now === "dark" ? "light" : "dark";
      document.documentElement.dataset.theme = now;
      show();
    });
    show();
    document.querySelector("header.page").append(button);
  }

  const seconds = (tenths) => {
    const s = tenths / 10;
    if (s === 0) return "0 s";
    return s >= 600 ? (s / 60).toFixed(1) + " min" : (s >= 100 ? s.toFixed(0) : s.toFixed(1)) + " s";
  };

  // Where the builds of a column start, and one past its last.
  const column = (i, columns, builds) => [Math.floor(i * builds / columns), Math.floor((i + 1) * builds / columns)];

  // Bars upon others, equal neighbours as one.
  function bars(heights, on) {
    let out = "";
    for (let i = 0; i < heights.length;) {
      let run = 1;
      while (i + run < heights.length && heights[i + run] === heights[i] && on[i + run] === on[i]) run++;
      if (heights[i] > 0) {
        const top = Math.max(0, HEIGHT - heights[i] - on[i]);
        out += `M${i} ${top}h${run}v${Math.min(heights[i], HEIGHT - on[i])}h-${run}z`;
      }
      i += run;
    }
    return out;
  }

  const WORDS = { D: "runs because of what it reads itself", I: "runs because a step before it ran", M: "is in doubt", ".": "is cached", "-": "is in no count here" };

  function heatMap(section) {
    const script = section.querySelector("script.data");
    const rows = [...section.querySelectorAll(".heat tbody tr")];
    if (!script || rows.length === 0) return;
    const data = JSON.parse(script.textContent);
    const all = data.pattern.length;
    // Targets of one report mostly share their commits.
    if (data.commits.length < all) {
      const first = JSON.parse(document.querySelector("script.data").textContent);
      for (const name of ["commits", "dates", "subjects"]) data[name] = first[name];
    }
    const form = section.querySelector(".filters");
    const output = form.querySelector("output");
    const heat = section.querySelector(".heat");
    const chosen = section.querySelector(".chosen");
    const strips = rows.map((r) => r.querySelector(".strip"));
    const paths = strips.map((s) => ["itself", "behind", "doubt"].map((c) => s.querySelector("." + c)));
    const dates = [...section.querySelectorAll(".dates span")];
    const cross = make("div", { className: "cross", hidden: true });
    const tip = make("div", { className: "tip", hidden: true });
    tip.setAttribute("aria-hidden", "true");
    heat.append(cross);
    document.body.append(tip);

    let shown = [...Array(all).keys()];
    let columns = Math.max(1, Math.min(COLUMNS, all));
    let at = { row: 0, col: columns - 1 };
    let kept = -1;
    let page = 0;

    const cell = (build, row) => data.patterns[data.pattern[build]][0][row];
    // The row at which the chain of causes of a cell begins.
    const root = (build, row) => {
      const [letters, roots] = data.patterns[data.pattern[build]];
      let nth = 0;
      for (let r = 0; r < row; r++) if (letters[r] === "I") nth++;
      return roots[nth];
    };
    const causeOf = (build, row) => {
      const flat = data.causes[build];
      for (let i = 0; i < flat.length; i += 4) if (flat[i] === row) return flat.slice(i, i + 4);
      return null;
    };
    const files = (cause) => data.lists[cause[2]].map((p) => data.paths[p]);
    const stepName = (row) => `line ${data.rows[row][0]}, ${data.rows[row][1]}`;

    // Lower-case paths that hold a text, by index.
    let lower = null;
    function listsWith(text) {
      lower ??= data.paths.map((p) => p.toLowerCase());
      const hits = new Set();
      lower.forEach((p, i) => { if (p.includes(text)) hits.add(i); });
      return data.lists.map((l) => l.some((p) => hits.has(p)));
    }

    function filter() {
      const step = form.elements.step.value, did = form.elements.did.value;
      const text = form.elements.path.value.trim().toLowerCase(), last = Number(form.elements.last.value);
      const wanted = did === "" ? "" : did;
      const ofPattern = data.patterns.map(([letters]) => {
        if (step !== "") return wanted === "" || wanted.includes(letters[Number(step)]);
        return wanted === "" || [...letters].some((l) => wanted.includes(l));
      });
      const has = text === "" ? null : listsWith(text);
      const first = last > 0 ? Math.max(0, all - last) : 0;
      shown = [];
      for (let b = first; b < all; b++) {
        if (!ofPattern[data.pattern[b]]) continue;
        if (has) {
          const flat = data.causes[b];
          let found = false;
          for (let i = 0; i < flat.length && !found; i += 4) {
            if (!has[flat[i + 2]]) continue;
            const row = step === "" ? -1 : Number(step);
            found = row < 0 || flat[i] === row || (cell(b, row) === "I" && root(b, row) === flat[i]);
          }
          if (!found) continue;
        }
        shown.push(b);
      }
      output.textContent = `${shown.length.toLocaleString("en")} of ${all.toLocaleString("en")} builds`;
      rows.forEach((r, i) => r.querySelector("button.row").setAttribute("aria-pressed", String(step !== "" && Number(step) === i)));
      page = 0;
      draw();
      list();
    }

    function draw() {
      const n = shown.length;
      columns = Math.max(1, Math.min(COLUMNS, n));
      at.col = Math.min(at.col, columns - 1);
      for (let row = 0; row < rows.length; row++) {
        const of = { D: new Array(columns).fill(0), I: new Array(columns).fill(0), M: new Array(columns).fill(0) };
        for (let c = 0; c < columns; c++) {
          const [from, to] = column(c, columns, n);
          for (let k = from; k < to; k++) {
            const list = of[cell(shown[k], row)];
            if (list) list[c]++;
          }
          const size = Math.max(1, to - from), one = n <= COLUMNS;
          of.D[c] = Math.ceil(HEIGHT * of.D[c] / size);
          of.I[c] = Math.ceil((one ? BEHIND : HEIGHT) * of.I[c] / size);
          of.M[c] = Math.ceil((one ? DOUBT : HEIGHT) * of.M[c] / size);
        }
        strips[row].querySelector("svg").setAttribute("viewBox", `0 0 ${columns} ${HEIGHT}`);
        const zero = new Array(columns).fill(0), both = of.D.map((d, c) => d + of.I[c]);
        paths[row][0].setAttribute("d", bars(of.D, zero));
        paths[row][1].setAttribute("d", bars(of.I, of.D));
        paths[row][2].setAttribute("d", bars(of.M, both));
        strips[row].setAttribute("aria-valuemax", String(columns));
      }
      const date = (k) => n ? data.dates[shown[k]] : "";
      dates.forEach((d, i) => { d.textContent = date([0, n >> 1, n - 1][i]); });
      const place = kept < 0 ? -1 : shown.indexOf(kept);
      if (place < 0) { cross.hidden = true; } else { at.col = columnOf(place); mark(at.row, at.col, true); }
    }

    const columnOf = (k) => {
      let c = Math.floor(k * columns / Math.max(1, shown.length));
      while (c + 1 < columns && column(c, columns, shown.length)[1] <= k) c++;
      return c;
    };

    function mark(row, col, keep) {
      const box = strips[row].getBoundingClientRect(), base = heat.getBoundingClientRect();
      const width = box.width / columns;
      cross.hidden = shown.length === 0;
      cross.classList.toggle("kept", keep);
      cross.style.left = `${box.left - base.left + col * width - 1}px`;
      cross.style.width = `${Math.max(2, width + 2)}px`;
      cross.style.top = `${strips[0].getBoundingClientRect().top - base.top - 2}px`;
      cross.style.bottom = "auto";
      cross.style.height = `${strips[strips.length - 1].getBoundingClientRect().bottom - strips[0].getBoundingClientRect().top + 4}px`;
    }

    // The build of a column that tells most of a step: the newest one in which it ran.
    function buildOf(row, col) {
      const [from, to] = column(col, columns, shown.length);
      for (let k = to - 1; k >= from; k--) if ("DIM".includes(cell(shown[k], row))) return shown[k];
      return shown[to - 1];
    }

    const title = (b) => [make("b", { textContent: data.dates[b] }), " ", make("code", { textContent: data.commits[b] }), " ", data.subjects[b]];

    function verdict(b, row) {
      const letter = cell(b, row);
      const out = [make("b", { textContent: stepName(row) }), ` ${WORDS[letter]}`];
      let cause = causeOf(b, row);
      if (letter === "I") {
        const r = root(b, row);
        if (r >= 0) {
          out.push(`: ${stepName(r)}`);
          cause = causeOf(b, r);
        }
      }
      if (cause) {
        out.push(` (${data.kinds[cause[1]]})`);
        const list = files(cause);
        list.forEach((f, i) => out.push(i ? ", " : ": ", make("code", { textContent: f })));
        if (cause[3] > 0) out.push(` and ${cause[3]} more`);
      }
      return out;
    }

    function what(b) {
      if (data.states[b] === "f") return "The oldest build: it meets an empty cache and is in no count.";
      if (data.states[b] === "s") return "The commit has no Dockerfile.";
      if (data.states[b] === "r") {
        const found = data.refused.find(([i]) => i === b);
        return `The builder refuses this build: ${found ? found[1] : ""}`;
      }
      const plan = data.plan[b];
      return `${seconds(data.work[b])} of work` + (plan === null ? "" : `, ${seconds(plan)} with the plan`);
    }

    function showTip(row, col, x, y) {
      const b = buildOf(row, col);
      if (b === undefined) return;
      const [from, to] = column(col, columns, shown.length);
      const more = to - from > 1 ? [make("p", { className: "muted", textContent: `one of ${to - from} builds in this column` })] : [];
      tip.replaceChildren(make("p", {}, ...title(b)), make("p", {}, ...verdict(b, row)), make("p", { className: "muted", textContent: what(b) }), ...more);
      tip.hidden = false;
      const box = tip.getBoundingClientRect();
      tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - box.width - 8))}px`;
      tip.style.top = `${y + 18 + box.height > innerHeight ? Math.max(4, y - box.height - 14) : y + 18}px`;
      mark(row, col, false);
    }

    function hideTip() {
      tip.hidden = true;
      const place = kept < 0 ? -1 : shown.indexOf(kept);
      if (place < 0) cross.hidden = true; else mark(at.row, columnOf(place), true);
    }

    function keep(b) {
      kept = b;
      const ran = [];
      for (let row = 0; row < rows.length; row++) if ("DM".includes(cell(b, row))) ran.push(make("li", {}, ...verdict(b, row)));
      const behind = rows.filter((_, row) => cell(b, row) === "I").length;
      const list = make("ul", {}, ...ran.slice(0, 12));
      const rest = ran.length > 12 ? [make("p", { textContent: `and ${ran.length - 12} more` })] : [];
      const tail = behind > 0 ? [make("p", { textContent: `${behind} more step${behind === 1 ? "" : "s"} because of these` })] : [];
      const none = ran.length + behind === 0 && data.states[b] === "c" ? [make("p", { textContent: "Everything came from the cache." })] : [];
      chosen.replaceChildren(make("p", {}, ...title(b)), make("p", { textContent: what(b) }), list, ...rest, ...tail, ...none);
      chosen.hidden = false;
    }

    function choose(row, col) {
      const b = buildOf(row, col);
      if (b === undefined) return;
      at.row = row;
      keep(b);
      if ("DIM".includes(cell(b, row)) && form.elements.step.value !== String(row)) {
        form.elements.step.value = String(row);
        form.elements.did.value = "DIM";
        filter();
      } else {
        draw();
      }
      announce();
    }

    function announce() {
      strips.forEach((s, i) => { s.tabIndex = i === at.row ? 0 : -1; });
      const b = buildOf(at.row, at.col);
      if (b === undefined) return;
      const s = strips[at.row];
      s.setAttribute("aria-valuenow", String(at.col + 1));
      s.setAttribute("aria-valuetext", `${data.dates[b]}, ${data.commits[b].slice(0, 7)}, ${data.subjects[b]}: ${make("p", {}, ...verdict(b, at.row)).textContent}. ${what(b)}`);
    }

    function reset() {
      form.elements.step.value = "";
      form.elements.did.value = "";
      form.elements.path.value = "";
      form.elements.last.value = "0";
      filter();
    }

    // The table of builds that the filters let through, newest first.
    const body = section.querySelector(".list tbody");
    const caption = section.querySelector(".list caption");
    const pages = section.querySelector(".pages");
    const withPlan = section.querySelectorAll(".list thead th").length > 4;
    function list() {
      const n = shown.length, from = page * PAGE;
      const part = shown.slice(Math.max(0, n - from - PAGE), n - from).reverse();
      caption.textContent = n === 0 ? "No build is like that" : `Builds ${from + 1} to ${from + part.length} of ${n.toLocaleString("en")}, newest first`;
      body.replaceChildren(...part.map((b) => {
        const why = make("td", {});
        const flat = data.causes[b];
        for (let i = 0; i < Math.min(flat.length, 12); i += 4) {
          if (i) why.append("; ");
          why.append(`line ${data.rows[flat[i]][0]}: `);
          const names = files(flat.slice(i, i + 4)).slice(0, 3);
          if (names.length === 0) why.append(data.kinds[flat[i + 1]]);
          names.forEach((f, k) => why.append(k ? ", " : "", make("code", { textContent: f })));
          const more = flat[i + 3] + data.lists[flat[i + 2]].length - names.length;
          if (more > 0 && names.length) why.append(` and ${more} more`);
        }
        if (flat.length > 12) why.append(`; and ${flat.length / 4 - 3} more steps`);
        if (data.states[b] !== "c") why.append(what(b));
        const cells = [make("td", { className: "nowrap", textContent: data.dates[b] }), make("td", {}, make("code", { textContent: data.commits[b].slice(0, 10) }), " ", data.subjects[b]),
          make("td", { className: "num", textContent: data.states[b] === "r" || data.states[b] === "s" ? "–" : seconds(data.work[b]) })];
        if (withPlan) cells.push(make("td", { className: "num", textContent: data.plan[b] === null ? "–" : seconds(data.plan[b]) }));
        return make("tr", {}, ...cells, why);
      }));
      pages.hidden = n <= PAGE;
      const [newer, older] = pages.querySelectorAll("button");
      newer.disabled = page === 0;
      older.disabled = from + PAGE >= n;
      pages.querySelector("span").textContent = `page ${page + 1} of ${Math.max(1, Math.ceil(n / PAGE))}`;
    }
    pages.addEventListener("click", (e) => {
      const by = Number(e.target.dataset.page || 0);
      if (by) { page += by; list(); }
    });

    rows.forEach((r, row) => {
      const head = r.querySelector("th");
      const button = make("button", { type: "button", className: "row", title: "Only builds in which this step ran" }, ...head.childNodes);
      button.setAttribute("aria-pressed", "false");
      button.addEventListener("click", () => {
        const on = form.elements.step.value === String(row);
        form.elements.step.value = on ? "" : String(row);
        form.elements.did.value = on ? "" : "DIM";
        filter();
      });
      head.append(button);
      const strip = strips[row];
      strip.setAttribute("role", "slider");
      strip.setAttribute("aria-label", `Builds of ${stepName(row)}`);
      strip.setAttribute("aria-describedby", section.querySelector(".keys").id);
      strip.setAttribute("aria-valuemin", "1");
      strip.setAttribute("aria-valuenow", "1");
      strip.querySelector("svg").setAttribute("aria-hidden", "true");
      strip.querySelector("svg").removeAttribute("role");
      const col = (e) => {
        const box = strip.getBoundingClientRect();
        return Math.max(0, Math.min(columns - 1, Math.floor((e.clientX - box.left) * columns / box.width)));
      };
      // A click comes with whole pixels, and a column may be narrower than one.
      let over = 0;
      strip.addEventListener("pointerdown", (e) => { over = col(e); });
      strip.addEventListener("pointermove", (e) => { over = col(e); showTip(row, over, e.clientX, e.clientY); });
      strip.addEventListener("pointerleave", hideTip);
      strip.addEventListener("click", (e) => { at.col = over; choose(row, over); tip.hidden = true; });
      strip.addEventListener("focus", () => { at.row = row; announce(); mark(at.row, at.col, false); });
      strip.addEventListener("blur", hideTip);
      strip.addEventListener("keydown", (e) => {
        const step = e.shiftKey ? 10 : 1;
        const moves = { ArrowLeft: [0, -step], ArrowRight: [0, step], ArrowUp: [-1, 0], ArrowDown: [1, 0], Home: [0, -columns], End: [0, columns], PageUp: [0, -20], PageDown: [0, 20] };
        if (e.key === "Enter" || e.key === " ") choose(at.row, at.col);
        else if (e.key === "Escape") { reset(); tip.hidden = true; }
        else if (moves[e.key]) {
          at.row = Math.max(0, Math.min(rows.length - 1, at.row + moves[e.key][0]));
          at.col = Math.max(0, Math.min(columns - 1, at.col + moves[e.key][1]));
          strips[at.row].focus();
          announce();
          const box = strips[at.row].getBoundingClientRect();
          showTip(at.row, at.col, box.left + (at.col + .5) * box.width / columns, box.bottom);
        } else return;
        e.preventDefault();
      });
    });

    form.hidden = false;
    section.querySelector(".keys").hidden = false;
    form.addEventListener("submit", (e) => e.preventDefault());
    form.addEventListener("input", filter);
    form.addEventListener("reset", (e) => { e.preventDefault(); reset(); });
    addEventListener("resize", hideTip);
    addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });
    filter();
    announce();
  }

  theme();
  document.querySelectorAll("section.builds").forEach(heatMap);
  document.documentElement.dataset.ready = "true";
})();
