// Runs before the page is drawn, so that it does not flash in the other colours.
try {
  const theme = JSON.parse(localStorage.getItem("yinzi.settings") ?? "{}").theme;
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Without storage the colours follow the system.
}
