// Elements of the page, and what it says.

export const $ = (id) => document.getElementById(id);

export const clone = (id) => $(id).content.cloneNode(true);

// Text from files goes into elements by this or `textContent`, never as markup.
export function line(tag, text, kind = "") {
  const element = document.createElement(tag);
  const isolated = document.createElement("bdi");
  element.className = kind;
  isolated.textContent = text;
  element.append(isolated);
  return element;
}

export function button(text, act) {
  const element = document.createElement("button");
  element.type = "button";
  element.textContent = text;
  element.dataset.act = act;
  return element;
}

let hiding = 0;

export function say(text, undo) {
  const box = $("message");
  box.replaceChildren(text);
  if (undo) {
    const element = button("Undo", "undo");
    element.addEventListener("click", undo);
    box.append(element);
  }
  // What lies above an open dialog must be inside of it.
  ($("compare").open ? $("compare") : document.body).append(box);
  box.classList.add("shown");
  clearTimeout(hiding);
  hiding = setTimeout(() => box.classList.remove("shown"), 7000);
}
