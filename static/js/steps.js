// Draws schedules as steps with uPlot: what we compute and what the station tells, or a profile that is being written.
(function () {
  "use strict";
  const HEIGHT = 260;
  const LOOKS = {
    ours: { stroke: "--accent", width: 2, fill: "--info-ground" },
    theirs: { stroke: "--warn", width: 2, dash: [6, 4] },
    limit: { stroke: "--bad", width: 1.5 },
  };

  function colour(name) {
    const probe = document.createElement("span");
    probe.style.color = `var(${name})`;
    document.body.append(probe);
    const value = getComputedStyle(probe).color;
    probe.remove();
    return value;
  }

  function hours(seconds) {
    const minutes = Math.round(seconds / 60);
    return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}`;
  }

  // A step is two points: one where it begins, one just before the next one begins.
  function columns(data) {
    const rows = [data.at, ...data.series.map((one) => one.values)];
    return rows.map((row, number) => row.flatMap((value, index) => {
      if (index === row.length - 1) return [value];
      return [value, number ? value : Math.max(value, row[index + 1] - 0.001)];
    }));
  }

  // Where both say otherwise, the ground is coloured: red where the station allows more.
  function marks(data) {
    return (plot) => {
      const { ctx } = plot;
      ctx.save();
      for (const mark of data.marks) {
        const left = plot.valToPos(Math.max(mark.begin, plot.scales.x.min), "x", true);
        const right = plot.valToPos(Math.min(mark.end, plot.scales.x.max), "x", true);
        if (right <= left) continue;
        ctx.fillStyle = colour(mark.more ? "--bad-ground" : "--idle-ground");
        ctx.fillRect(left, plot.bbox.top, right - left, plot.bbox.height);
      }
      ctx.restore();
    };
  }

  function options(data, words, width) {
    const week = data.at[data.at.length - 1] - data.at[0] > 2 * 86400; // seconds
    const clock = new Intl.DateTimeFormat("en-GB", { timeZone: data.zone, ...(week ? { weekday: "short" } : {}), hour: "2-digit", minute: "2-digit" });
    const full = new Intl.DateTimeFormat("en-GB", { timeZone: data.zone, weekday: "short", hour: "2-digit", minute: "2-digit" });
    const kilo = data.unit === "W" ? 1000 : 1;
    const unit = data.unit === "W" ? "kW" : "A";
    const moment = (value) => (data.relative ? hours(value - data.at[0]) : full.format(value * 1000));
    // Without a cursor the legend tells what holds first.
    const shown = (self, value, series, index) => (index === null || index === undefined ? self.data[series][0] : value);
    const figure = (...cursor) => {
      const value = shown(...cursor);
      return value === null || value === undefined ? words.none : `${Number((value / kilo).toFixed(2))} ${unit}`;
    };
    const line = { stroke: colour("--quiet"), font: "11px Inter Variable, sans-serif", ticks: { show: false }, grid: { stroke: colour("--line"), width: 1 } };
    return {
      width, height: HEIGHT,
      series: [
        { label: words.time, value: (...cursor) => moment(shown(...cursor)) },
        ...data.series.map((one) => {
          const look = LOOKS[one.kind];
          return { label: one.label, stroke: colour(look.stroke), width: look.width, dash: look.dash, fill: look.fill && colour(look.fill), paths: uPlot.paths.linear(), points: { show: false }, spanGaps: false, value: figure };
        }),
      ],
      axes: [
        { ...line, size: 32, space: week ? 80 : 56, values: (self, ticks) => ticks.map((tick) => (data.relative ? hours(tick - data.at[0]) : clock.format(tick * 1000))) },
        { ...line, size: 50, label: unit, labelSize: 18, labelFont: "11px Inter Variable, sans-serif", values: (self, ticks) => ticks.map((tick) => Number((tick / kilo).toFixed(2))) },
      ],
      scales: { x: { time: !data.relative }, y: { range: (self, min, max) => [0, Math.max((max || 0) * 1.15, kilo)] } },
      hooks: { drawClear: [marks(data)] },
      cursor: { y: false, points: { size: 7 } },
      legend: { live: true },
    };
  }

  function address(element) {
    const form = element.dataset.form && document.getElementById(element.dataset.form);
    if (!form) return element.dataset.steps;
    const fields = new URLSearchParams(new FormData(form));
    fields.delete("csrfmiddlewaretoken");
    return `${element.dataset.steps}?${fields}`;
  }

  async function draw(element) {
    const notice = element.querySelector("[data-steps-words]");
    const turn = (element.turn = (element.turn || 0) + 1);
    let data = null;
    try {
      const answer = await fetch(address(element), { headers: { Accept: "application/json" } });
      if (answer.ok) data = await answer.json();
      if (data?.error !== undefined) data = null; // a form that cannot be read yet
    } catch {
      data = null;
    }
    if (turn !== element.turn) return; // a newer one is on its way
    const note = document.querySelector("[data-preview-note]");
    if (note && element.dataset.form) note.textContent = data ? "" : notice.dataset.failed;
    if (!data || !data.series.some((one) => one.values.some((value) => value !== null))) {
      if (!element.plot || data) {
        element.plot?.destroy();
        element.plot = element.data = null;
        notice.textContent = data ? notice.dataset.empty : notice.dataset.failed;
        notice.hidden = false;
      }
      return;
    }
    notice.hidden = true;
    element.data = data;
    paint(element);
  }

  function paint(element) {
    if (!element.data) return;
    element.plot?.destroy();
    const words = element.querySelector("[data-steps-words]").dataset;
    element.plot = new uPlot(options(element.data, words, element.clientWidth), columns(element.data), element);
  }

  function begin() {
    for (const element of document.querySelectorAll("[data-steps]:not([data-begun])")) {
      element.dataset.begun = "";
      draw(element);
      element.addEventListener("live", () => draw(element));
      new ResizeObserver(() => {
        if (element.plot && element.clientWidth !== element.plot.width) element.plot.setSize({ width: element.clientWidth, height: HEIGHT });
      }).observe(element);
      const form = element.dataset.form && document.getElementById(element.dataset.form);
      let timer = 0;
      form?.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(() => draw(element), 250); });
    }
  }

  function addRow() {
    const blank = document.querySelector("[data-period-blank]");
    const rows = document.querySelector("[data-period-rows]");
    const total = document.querySelector("[name=period-TOTAL_FORMS]");
    if (!blank || !rows || !total) return;
    const number = Number(total.value);
    const holder = document.createElement("tbody");
    holder.innerHTML = blank.innerHTML.replaceAll("__prefix__", String(number));
    rows.append(...holder.children);
    total.value = String(number + 1);
    rows.lastElementChild.querySelector("input").focus();
  }

  document.addEventListener("DOMContentLoaded", () => {
    begin();
    const button = document.querySelector("[data-period-add]");
    if (button) { button.hidden = false; button.addEventListener("click", addRow); }
  });
  document.addEventListener("htmx:afterSettle", begin);
  document.addEventListener("theme", () => document.querySelectorAll("[data-steps]").forEach(paint));
})();
