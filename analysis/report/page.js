"use strict";
// A box in a legend shows and hides the elements of its arm in the panels of its group.
for (const legend of document.querySelectorAll(".legend")) {
  const group = legend.closest(".group");
  for (const box of legend.querySelectorAll("input")) {
    box.hidden = false;
    box.addEventListener("change", () => {
      for (const element of group.querySelectorAll(".panels ." + box.value)) {
        element.classList.toggle("off", !box.checked);
      }
    });
  }
}
