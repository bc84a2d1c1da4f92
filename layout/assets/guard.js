/* Stands before every other script and keeps to the oldest language, so that old browsers read it. The sentence above it stays in
   sight where the browser is too old, and comes back where the map could not be drawn. */
(function () {
  var told = document.getElementById("plan-old");
  var able = typeof Promise === "function" && typeof Object.entries === "function" && typeof Array.prototype.flat === "function" &&
    typeof told.replaceChildren === "function" && typeof String.prototype.normalize === "function" && typeof window.CSS === "object" &&
    window.CSS.supports("color", "var(--ink)");
  if (able) {
    told.style.display = "none";
    window.onerror = function () {
      if (!window.planMap) told.style.display = "block";
    };
  }
})();
