// A file is read into the text field here, in the browser; it is sent only with the form.
"use strict";

const file = document.getElementById("file");
document.getElementById("from-file").hidden = false;
file.addEventListener("change", async () => {
  if (!file.files.length) return;
  document.getElementById("sent").value = await file.files[0].text();
});
