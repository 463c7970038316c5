// Small comforts: copy buttons, filters that apply by themselves, `/` for the search field.
(function () {
  "use strict";

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    await navigator.clipboard.writeText(button.dataset.copy);
    const label = button.querySelector("span") || button;
    const before = label.textContent;
    label.textContent = button.dataset.copied || "Copied";
    setTimeout(() => { label.textContent = before; }, 1500);
  });

  // Rows of a form: a blank one waits in a template, its place in the list is filled in when it is copied. A row may
  // hold lists of its own, whose blank rows wait in templates inside and learn the place of the row around them.
  function place(root, mark, index) {
    for (const element of root.querySelectorAll("*")) {
      for (const attribute of [...element.attributes]) {
        if (attribute.value.includes(mark)) attribute.value = attribute.value.replaceAll(mark, index);
      }
      if (element.content) place(element.content, mark, index);
    }
  }

  document.addEventListener("click", (event) => {
    const add = event.target.closest("[data-add-row]");
    const drop = event.target.closest("[data-drop-row]");
    if (drop) drop.closest("[data-row]").remove();
    if (!add) return;
    const list = add.closest("[data-rows]");
    const taken = [...list.querySelectorAll(":scope > [data-row]")].map((row) => Number(row.dataset.row));
    const index = taken.length ? Math.max(...taken) + 1 : 0;
    const copy = list.querySelector(":scope > template").content.cloneNode(true);
    const row = copy.querySelector("[data-row]");
    place(copy, row.dataset.row, index);
    add.before(copy);
    row.querySelector("input, select, textarea").focus();
  });

  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-auto]");
    if (form) form.requestSubmit();
  });

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select, [contenteditable]");
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey) return;
    const field = document.querySelector("input[type=search]");
    if (!field) return;
    event.preventDefault();
    field.focus();
  });
})();
