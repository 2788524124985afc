// The report as a file: its data stands in the page.

const reportPage = showReport(document.getElementById("page"), JSON.parse(document.getElementById("data").textContent));
redrawOnChange(() => reportPage);
