// One chart of keep rates at a time, as two fields choose; without scripts, all are there.

function chooseKeepRate() {
  const form = document.getElementById("keep-rate-choice");
  const charts = [...document.querySelectorAll("#keep-rate [data-kind]")];
  const show = () => {
    const wanted = Object.fromEntries(new FormData(form));
    for (const chart of charts) {
      const { kind, reading } = chart.dataset;
      chart.classList.toggle("chosen", kind === wanted.kind && reading === (wanted.reading ?? reading));
    }
  };
  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  show();
}
