// The page: the worst targets first, kept fresh by reading the list every two seconds, and at once when an
// event says that something changed. Everything that comes from outside is set as text, never as markup.

const STATUSES = ["down", "late", "unknown", "up", "paused"];
const ROWS_MAX = 200;
const EVENTS_MAX = 40;
const REFRESH_MS = 2000;
const REFRESH_MIN_MS = 500; // however much happens
const PATIENCE_MS = 7000;

const at = (id) => document.getElementById(id);
const page = {
  rows: new Map(),
  only: null, // the status shown alone
  query: "",
  open: null, // the target of which every observer's view is shown
  clockOffset: 0, // the monitor's clock minus the browser's
  heardAt: Date.now(), // when the monitor answered last
  timer: 0,
  askedAt: 0,
  asking: null,
  again: false,
};

// Small pieces of the document

function make(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function spanText(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const [minutes, hours, days] = [60, 3600, 86400].map((unit) => Math.floor(seconds / unit));
  if (days > 0) return `${days} d ${hours % 24} h`;
  if (hours > 0) return `${hours} h ${minutes % 60} min`;
  if (minutes > 0) return `${minutes} min ${seconds % 60} s`;
  return `${seconds} s`;
}

// How long something has lasted already: the largest unit is enough.
function roughText(ms) {
  const minutes = Math.floor(Math.max(0, ms) / 60000);
  if (minutes >= 1440) return `${Math.floor(minutes / 1440)} d`;
  if (minutes >= 60) return `${Math.floor(minutes / 60)} h`;
  return minutes > 0 ? `${minutes} min` : spanText(ms);
}

function levelText(level) {
  if (level >= 1e6) return level.toExponential(0);
  return level >= 100 ? level.toFixed(0) : level.toFixed(level >= 10 ? 1 : 2);
}

const monitorNow = () => Date.now() + page.clockOffset;

// Targets

function newRow() {
  const row = {
    tr: make("tr"),
    word: make("span"),
    since: make("small"),
    link: make("a"),
    labels: make("span", "labels"),
    labelsText: "",
    number: make("b"),
    bar: make("span", "bar"),
    late: make("span", "tick"),
    down: make("span", "tick"),
    heard: make("td", "heard"),
    why: make("span"),
    toggle: make("button", "toggle"),
    detail: null, // the row below, while it is open
  };
  row.toggle.type = "button";
  row.toggle.hidden = true;
  row.toggle.addEventListener("click", () => open(page.open === row.target.id ? null : row.target.id));
  row.bar.append(make("span", "fill"), row.late, row.down);
  row.bar.setAttribute("role", "img");
  row.tr.append(
    make("td", "status", make("span", "mark"), row.word, row.since),
    make("td", "name", row.link, row.labels),
    make("td", "level-cell", make("div", "level", row.number, row.bar)),
    row.heard,
    make("td", "why", row.why, row.toggle),
  );
  return row;
}

function fillRow(row, target) {
  row.target = target;
  if (row.tr.dataset.status !== target.status) row.tr.dataset.status = target.status;
  say(row.word, target.status);
  say(row.link, target.id);
  const href = `v1/targets/${encodeURIComponent(target.id)}`;
  if (row.link.getAttribute("href") !== href) row.link.href = href;
  const labels = Object.entries(target.labels).map(([name, value]) => `${name}: ${value}`);
  if (target.flapping) labels.unshift("flapping");
  const joined = labels.join("\n");
  if (row.labelsText !== joined) {
    row.labelsText = joined;
    row.labels.replaceChildren(
      ...labels.map((label) => make("i", label === "flapping" ? label : "", label)),
    );
  }
  const { late, down } = target.thresholds;
  const whole = down * 1.25;
  // Before the first arrival there is nothing to measure.
  say(row.number, target.last_arrival ? levelText(target.level) : "–");
  const part = Math.min(1, target.level / whole).toFixed(3);
  if (row.bar.style.getPropertyValue("--part") !== part) row.bar.style.setProperty("--part", part);
  row.late.style.setProperty("--at", (late / whole).toFixed(3));
  row.down.style.setProperty("--at", (down / whole).toFixed(3));
  const label = `level ${levelText(target.level)}, late from ${late}, down from ${down}`;
  if (row.bar.title !== label) {
    row.bar.title = label;
    row.bar.setAttribute("aria-label", label);
  }
  say(row.why, target.why);
  // Where several monitors observe it, the reason is what they say together.
  row.toggle.hidden = !target.verdict;
  tickRow(row);
}

function tickRow(row) {
  const now = monitorNow();
  const { last_arrival, since } = row.target;
  say(row.heard, last_arrival ? `${spanText(now - Date.parse(last_arrival))} ago` : "never");
  say(row.since, `for ${roughText(now - Date.parse(since))}`);
}

function showTargets(list) {
  page.clockOffset = Date.parse(list.now) - Date.now();
  const body = at("targets");
  const seen = new Set();
  let before = null;
  for (const target of list.targets) {
    seen.add(target.id);
    let row = page.rows.get(target.id);
    if (!row) page.rows.set(target.id, (row = newRow()));
    fillRow(row, target);
    // Rows that stand right already are not touched, so nothing is laid out twice.
    const next = before ? before.nextSibling : body.firstChild;
    if (row.tr !== next) body.insertBefore(row.tr, next);
    before = row.tr;
    showDetail(row);
    if (!row.detail) continue;
    if (row.detail.tr !== row.tr.nextSibling) row.tr.after(row.detail.tr);
    before = row.detail.tr;
  }
  for (const [id, row] of page.rows) {
    if (!seen.has(id)) {
      row.tr.remove();
      row.detail?.tr.remove();
      page.rows.delete(id);
    }
  }
  showCounts(list.counts);
  const hidden = list.matched - list.targets.length;
  const all = Object.values(list.counts).reduce((sum, count) => sum + count, 0);
  let more = "";
  if (hidden > 0) {
    more = `The ${list.targets.length} worst of ${list.matched.toLocaleString("en")} are shown. Search for the others.`;
  } else if (list.matched === 0) {
    more =
      page.query || page.only
        ? "No target matches."
        : "Nothing is watched yet. Add a target with PUT v1/targets/NAME, or to the settings file.";
  }
  say(at("more"), more);
  at("doubt").hidden = !list.observer_suspects_itself;
  say(
    at("doubt"),
    "The monitor suspects itself: too many targets fell silent at once, so the fault is likelier here, or on the way to them. No target is called down for it meanwhile.",
  );
  showHeadline(list.counts, all);
}

function showHeadline(counts, all) {
  const parts = ["down", "late", "unknown"]
    .filter((status) => counts[status] > 0)
    .map((status) => `${counts[status].toLocaleString("en")} ${status}`);
  const matching = page.query ? " matching" : "";
  const text =
    parts.length > 0
      ? `${parts.join(", ")} of ${all.toLocaleString("en")}${matching}`
      : all > 0
        ? `All ${all.toLocaleString("en")}${matching} are well`
        : "";
  say(at("headline"), text);
  document.title = counts.down > 0 ? `${counts.down} down · auscult` : "auscult";
  const worst = STATUSES.slice(0, 3).find((status) => counts[status] > 0) ?? "up";
  const fill = { down: "%23cf2436", late: "%23e08a1e", unknown: "%238087b8", up: "%2312805c" }[
    worst
  ];
  const href = `data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Ccircle cx='8' cy='8' r='6' fill='${fill}'/%3E%3C/svg%3E`;
  const icon = document.querySelector("link[rel=icon]");
  if (icon.getAttribute("href") !== href) icon.href = href;
}

// What each observer of a target sees: below its row, one target at a time

function open(id) {
  page.open = id;
  for (const row of page.rows.values()) {
    showDetail(row);
    if (row.detail) row.tr.after(row.detail.tr);
  }
}

// Opens or closes what is below a row, and has what is open read again.
function showDetail(row) {
  const wanted = row.target.id === page.open && Boolean(row.target.verdict);
  say(row.toggle, wanted ? "Hide observers" : "Observers");
  row.toggle.setAttribute("aria-expanded", String(wanted));
  if (!wanted) {
    row.detail?.tr.remove();
    row.detail = null;
    return;
  }
  if (!row.detail) {
    const box = make("div", "observers", make("p", "quiet", "Asking…"));
    const cell = make("td", "", box);
    cell.colSpan = 5;
    row.detail = { tr: make("tr", "detail", cell), box };
  }
  readObservers(row.target.id, row.detail);
}

async function readObservers(id, detail) {
  if (detail.asking) return;
  detail.asking = true;
  try {
    const answer = await fetch(`v1/targets/${encodeURIComponent(id)}`, { cache: "no-store" });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    fillObservers(detail.box, await answer.json());
  } catch {
    // What is shown stays; the list says when nobody answers.
  } finally {
    detail.asking = false;
  }
}

function fillObservers(box, target) {
  const verdict = target.verdict.replaceAll("_", " ");
  const told = target.ruling ? `, found by ${target.ruling.owner}` : "";
  const rows = target.observers.map((observer) => observerRow(observer, target.owner));
  const head = make("p", "quiet", `Verdict: ${verdict}${told}. The owner tells people.`);
  box.replaceChildren(head, make("dl", "", ...rows.flat()));
}

function observerRow(observer, owner) {
  const { monitor, status, level, since_ms, age_ms, fresh, isolated, why } = observer;
  const name = make("dt", "", monitor);
  if (monitor === owner) name.append(make("small", "", "owner"));
  const sees = make("span", "status", make("span", "mark"), status ?? "nothing yet");
  const facts = [];
  if (since_ms !== null) facts.push(`for ${roughText(since_ms)}`);
  if (level !== null) facts.push(`level ${levelText(level)}`);
  if (isolated) facts.push("isolated: its word does not count");
  else if (fresh) facts.push("heard now");
  else if (age_ms === null) facts.push("never heard: its word does not count");
  else facts.push(`heard ${spanText(age_ms)} ago: its word does not count`);
  const view = make("dd", fresh ? "" : "old", sees, make("span", "facts", facts.join(", ")));
  view.dataset.status = status ?? "unknown";
  if (why) view.append(make("span", "evidence", why));
  return [name, view];
}

// Counts

function makeCounts() {
  for (const status of STATUSES) {
    const button = make(
      "button",
      "none",
      make("b", "", "0"),
      make("i", "mark"),
      make("span", "", status),
    );
    button.type = "button";
    button.dataset.status = status;
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => {
      page.only = page.only === status ? null : status;
      for (const other of at("counts").children) {
        other.setAttribute("aria-pressed", String(other.dataset.status === page.only));
      }
      refresh();
    });
    at("counts").append(button);
  }
}

function showCounts(counts) {
  for (const button of at("counts").children) {
    const count = counts[button.dataset.status] ?? 0;
    say(button.firstChild, count.toLocaleString("en"));
    button.classList.toggle("none", count === 0);
  }
}

// Reading the list

async function refresh() {
  clearTimeout(page.timer);
  if (page.asking) {
    page.again = true;
    return;
  }
  const query = new URLSearchParams({ sort: "worst", limit: String(ROWS_MAX) });
  if (page.only) query.set("status", page.only);
  if (page.query) query.set("q", page.query);
  page.asking = new AbortController();
  page.askedAt = Date.now();
  const patience = setTimeout(() => page.asking?.abort(), PATIENCE_MS);
  try {
    const answer = await fetch(`v1/targets?${query}`, {
      cache: "no-store",
      signal: page.asking.signal,
    });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    showTargets(await answer.json());
    page.heardAt = Date.now();
    at("lost").hidden = true;
    document.body.classList.remove("stale");
  } catch (error) {
    lost();
  } finally {
    clearTimeout(patience);
    page.asking = null;
    const soon = page.again;
    page.again = false;
    page.timer = setTimeout(refresh, soon ? REFRESH_MIN_MS : REFRESH_MS);
  }
}

// Something changed: reads again as soon as that is not too often.
function refreshSoon() {
  if (page.asking) {
    page.again = true;
    return;
  }
  clearTimeout(page.timer);
  page.timer = setTimeout(refresh, Math.max(0, page.askedAt + REFRESH_MIN_MS - Date.now()));
}

function lost() {
  const since = new Date(page.heardAt).toLocaleTimeString();
  say(at("lost"), `No connection to the monitor. What is shown is from ${since}.`);
  at("lost").hidden = false;
  document.body.classList.add("stale");
}

// Members of the group that the monitor is in

const LINKS_MS = 10000; // each time, every live member is asked
const MATRIX_MAX = 12;
const STATE_STATUS = { alive: "up", suspect: "late", dead: "down", left: "paused" };
const HEARS_SIGN = { passes: "✓", blocked: "✕", unknown: "·", self: "" };

async function readGroup() {
  let next = LINKS_MS;
  try {
    const members = await fetch("v1/members", { cache: "no-store" });
    const links = await fetch("v1/links", { cache: "no-store" });
    if (members.ok && links.ok) showGroup((await members.json()).members, await links.json());
  } catch {
    // The list says already that nobody answers.
    next = LINKS_MS / 2;
  }
  setTimeout(() => (document.hidden ? whenSeen(readGroup) : readGroup()), next);
}

function whenSeen(run) {
  document.addEventListener("visibilitychange", run, { once: true });
}

function showGroup(members, links) {
  const present = members.filter((member) => member.state !== "left");
  present.sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
  at("group").hidden = present.length < 2;
  const live = present.filter((member) => member.state !== "dead").length;
  const deaf = links.blocked.map(({ hearer, speaker }) => `${hearer} does not hear ${speaker}`);
  const silent = links.rows.filter((row) => row.error).map((row) => `${row.observer} does not say`);
  const said = [...deaf, ...silent].slice(0, 5).join("; ");
  const all = `${live} of ${present.length} members are live`;
  say(at("links-say"), said ? `${all}; ${said}` : `${all}, and no link is known to be blocked`);
  const few = present.length <= MATRIX_MAX;
  at("links").replaceChildren(...(few ? matrix(present, links) : []));
  at("links").style.setProperty("--members", present.length);
}

function matrix(members, links) {
  const cell = (role, text) => {
    const node = make("span", "", text);
    node.setAttribute("role", role);
    return node;
  };
  const row = (...cells) => {
    const node = make("div", "", ...cells);
    node.setAttribute("role", "row");
    return node;
  };
  const numbers = members.map((_, at) => cell("columnheader", String(at + 1)));
  const rows = members.map((member, index) => {
    const name = make("span", "", `${index + 1} ${member.name}${member.me ? " (here)" : ""}`);
    const head = cell("rowheader", "");
    head.append(make("span", "mark"), name);
    head.dataset.status = STATE_STATUS[member.state] ?? "unknown";
    head.title = `${member.name} is ${member.state} at ${member.address}`;
    const own = links.rows.find((row) => row.observer === member.name);
    const cells = members.map((other) => {
      const link = own?.links.find((link) => link.peer === other.name);
      const hears = other.name === member.name ? "self" : (link?.hears ?? "unknown");
      const shown = cell("cell", HEARS_SIGN[hears] ?? "·");
      const verb = { passes: "hears", blocked: "does not hear" }[hears] ?? "may or may not hear";
      if (hears !== "self") shown.title = `${member.name} ${verb} ${other.name}`;
      shown.dataset.hears = hears;
      return shown;
    });
    return row(head, ...cells);
  });
  return [row(cell("columnheader", ""), ...numbers), ...rows];
}

// Events

function showEvent(event) {
  const item = make("li", "", make("span", "mark"), make("span", "", event.text));
  if (event.to) item.dataset.status = event.to;
  const time = make("time", "", new Date(event.at).toLocaleTimeString());
  time.dateTime = event.at;
  item.append(time);
  at("events").prepend(item);
  while (at("events").children.length > EVENTS_MAX) at("events").lastChild.remove();
}

let newest = 0;

async function follow() {
  try {
    const answer = await fetch(`v1/events?limit=${EVENTS_MAX}`, { cache: "no-store" });
    if (answer.ok) {
      const past = await answer.json();
      at("events").replaceChildren();
      past.events.forEach(showEvent);
      newest = past.next;
    }
  } catch {
    lost();
  }
  const stream = new EventSource(`v1/events/stream?since=${newest}`);
  const take = (message) => {
    const event = JSON.parse(message.data);
    newest = event.id;
    showEvent(event);
    refreshSoon();
  };
  for (const kind of [
    "added",
    "replaced",
    "removed",
    "transition",
    "signal_transition",
    "flapping_started",
    "flapping_stopped",
    "relearnt",
    "observer_suspects_itself",
    "observer_trusts_itself",
    "refuted",
    "link_changed",
    "name_conflict",
    "rejected",
    "mode_changed",
    "isolated",
    "reconnected",
    "agent_stopped",
    "stalled",
  ]) {
    stream.addEventListener(kind, take);
  }
  stream.addEventListener("lagged", refreshSoon);
  stream.onerror = () => {
    // The browser reconnects by itself after a break, but not after a refusal.
    if (stream.readyState === EventSource.CLOSED) setTimeout(follow, 5000);
  };
}

async function showMonitor() {
  try {
    const answer = await fetch("v1/monitor");
    if (!answer.ok) return;
    const monitor = await answer.json();
    say(at("version"), `auscult ${monitor.version}`);
    // One that is in no group stays so until it is started again.
    if (monitor.member) readGroup();
  } catch {
    // The list says already that nobody answers.
  }
}

// Start

makeCounts();
at("search").addEventListener("input", (event) => {
  page.query = event.target.value.trim();
  refresh();
});
document.addEventListener("keydown", (event) => {
  const typing = document.activeElement === at("search");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    at("search").focus();
  }
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) clearTimeout(page.timer);
  else refresh();
});
setInterval(() => {
  if (!document.hidden) for (const row of page.rows.values()) tickRow(row);
}, 1000);
refresh();
follow();
showMonitor();
