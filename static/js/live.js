// Live pages. The socket names topics that changed; each element that shows one re-reads its fragment through the
// ordinary view. While the socket is down, everything is re-read every ten seconds.
(function () {
  "use strict";
  const POLL_MS = 10000;
  const RETRY_MS = [500, 1000, 2000, 5000, 10000];
  const refreshed = new WeakMap(); // element -> time of its last refresh
  const waiting = new WeakMap(); // element -> timer of a refresh that is held back
  let socket = null;
  let tries = 0;
  let poll = null;
  let followed = ""; // the topics that the socket was told
  let caughtUp = false; // since the socket follows them

  const all = () => document.querySelectorAll("[data-topics]");
  const topicsOf = (element) => element.dataset.topics.split(/\s+/).filter(Boolean);

  function show(state) {
    const indicator = document.getElementById("live-state");
    if (!indicator || indicator.dataset.state === state) return;
    indicator.dataset.state = state;
    indicator.firstElementChild.textContent = indicator.dataset[state];
    indicator.title = indicator.dataset[state];
  }

  function refresh(element) {
    if (!element.isConnected || waiting.has(element) || element.closest("details:not([open])")) return;
    const pause = (refreshed.get(element) || 0) + Number(element.dataset.every || 0) - Date.now();
    if (pause > 0) {
      waiting.set(element, setTimeout(() => { waiting.delete(element); refresh(element); }, pause));
      return;
    }
    refreshed.set(element, Date.now());
    htmx.trigger(element, "live");
  }

  function refreshAll() {
    if (!document.hidden) all().forEach(refresh);
  }

  function subscribe() {
    if (!socket || socket.readyState !== WebSocket.OPEN) return;
    const topics = [...new Set([...all()].flatMap(topicsOf))].sort();
    if (topics.join() === followed) return;
    followed = topics.join();
    socket.send(JSON.stringify({ topics }));
  }

  function connect() {
    if (!all().length) { document.getElementById("live-state")?.setAttribute("hidden", ""); return; } // a page without live parts
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    socket = new WebSocket(`${scheme}://${location.host}/ws/live/`);
    socket.addEventListener("open", () => {
      tries = 0;
      clearInterval(poll);
      poll = null;
      subscribe();
      show("live");
    });
    socket.addEventListener("message", (event) => {
      const message = JSON.parse(event.data);
      if ("following" in message) { caughtUp ||= (refreshAll(), true); return; } // what changed since the page was painted
      const changed = new Set(message.changed);
      if (document.hidden) { missed = true; return; }
      all().forEach((element) => { if (topicsOf(element).some((topic) => changed.has(topic))) refresh(element); });
    });
    socket.addEventListener("close", (event) => {
      socket = null;
      followed = "";
      caughtUp = false;
      if (event.code === 4401 && performance.now() > RETRY_MS.at(-1)) { location.reload(); return; } // logged out: to the login
      show("polling");
      if (!poll) poll = setInterval(refreshAll, POLL_MS);
      setTimeout(connect, RETRY_MS[Math.min(tries, RETRY_MS.length - 1)] * (0.75 + Math.random() / 2));
      tries += 1;
    });
  }

  let missed = false;
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && missed) { missed = false; refreshAll(); }
  });

  // What lies folded is read when it is opened.
  document.addEventListener("toggle", (event) => {
    if (event.target.tagName === "DETAILS" && event.target.open) event.target.querySelectorAll("[data-topics]").forEach(refresh);
  }, true);

  // Rows that the reader opened stay open, and what is being typed stays, when a fragment is swapped.
  function keepState() {
    if (!window.Idiomorph) return;
    Idiomorph.defaults.ignoreActiveValue = true;
    Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, node) => !(node.tagName === "DETAILS" && name === "open");
    Idiomorph.defaults.callbacks.beforeNodeMorphed = (old) => !(old instanceof Element && old.hasAttribute("data-keep"));
  }

  function words(seconds) {
    if (seconds < 10) return "just now";
    if (seconds < 60) return `${seconds} s ago`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
    if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
    const days = Math.floor(seconds / 86400);
    return days === 1 ? "1 day ago" : `${days} days ago`;
  }

  function tick() {
    for (const time of document.querySelectorAll("time[data-ago]")) {
      const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(time.dateTime)) / 1000));
      const text = words(seconds);
      if (time.textContent !== text) time.textContent = text;
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    keepState();
    connect();
    setInterval(tick, 5000);
  });
  document.addEventListener("htmx:afterSettle", subscribe);
})();
