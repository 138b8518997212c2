"""The HTML report: what it holds (`page`), its looks (`page.html`, `page.css`) and its acts (`page.js`, `draw.js`)."""
