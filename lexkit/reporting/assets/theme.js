// In the head, before anything is drawn, so that a page never flashes in the other colours.
document.documentElement.classList.add("scripted");
try {
  const theme = localStorage.getItem("lexkit-theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // storage may be forbidden to pages opened from a file; the system's colours will do
}
