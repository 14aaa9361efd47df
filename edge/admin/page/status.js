// Asks for this very page once a second and takes over what has changed. Nothing is loaded from
// elsewhere, and no text is ever read as markup here: the server escaped it, the parser runs no script.
"use strict";

const SECONDS = 1;
const PATIENCE = 4;
const contact = document.getElementById("contact");
let heard = Date.now();

// Only what differs is touched, so that a selection and the scrolling stay.
function follow(mine, theirs) {
  const isSame = mine.nodeType === theirs.nodeType && mine.nodeName === theirs.nodeName;
  if (!isSame || mine.childNodes.length !== theirs.childNodes.length) {
    mine.replaceWith(document.importNode(theirs, true));
    return;
  }
  if (mine.nodeType === Node.TEXT_NODE) {
    if (mine.nodeValue !== theirs.nodeValue) mine.nodeValue = theirs.nodeValue;
    return;
  }
  if (mine.nodeType !== Node.ELEMENT_NODE) return;
  for (const { name } of [...mine.attributes]) {
    if (!theirs.hasAttribute(name)) mine.removeAttribute(name);
  }
  for (const { name, value } of theirs.attributes) {
    if (mine.getAttribute(name) !== value) mine.setAttribute(name, value);
  }
  [...mine.childNodes].forEach((child, index) => follow(child, theirs.childNodes[index]));
}

function tell() {
  const silence = Math.round((Date.now() - heard) / 1000);
  const isLost = silence >= PATIENCE;
  document.body.classList.toggle("lost", isLost);
  contact.hidden = !isLost;
  contact.textContent = isLost ? `No contact for ${silence} s. What is below is old.` : "";
  if (isLost) document.title = "mtls-edge: no contact";
}

async function ask() {
  try {
    const answer = await fetch("/status?format=html", {
      cache: "no-store",
      redirect: "error",
      signal: AbortSignal.timeout(PATIENCE * 1000),
    });
    if (answer.ok) {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const id of ["live", "time"]) {
        follow(document.getElementById(id), page.getElementById(id));
      }
      document.title = page.title;
      heard = Date.now();
    }
  } catch {
    // The edge is away, perhaps to come back; the page says so.
  }
  tell();
  setTimeout(ask, SECONDS * 1000);
}

setTimeout(ask, SECONDS * 1000);
