// The live page begins without data.

startLive(document.getElementById("page"));
redrawOnChange(() => live.page ?? { redraw: () => {} });
