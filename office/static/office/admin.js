// Shows times and days in the reader's zone, focuses the search on `/`, and shows that a search is running. Without
// this script times are in UTC and say so. No inline code, so that a strict Content-Security-Policy allows it.

(() => {
    "use strict";

    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    const digits = (number, width = 2) => String(number).padStart(width, "0");

    // `2026-11-21 09:30:00`, with milliseconds where the page shows them.
    function local(moment, withMilliseconds) {
        const day = `${moment.getFullYear()}-${digits(moment.getMonth() + 1)}-${digits(moment.getDate())}`;
        const time = [moment.getHours(), moment.getMinutes(), moment.getSeconds()].map((part) => digits(part)).join(":");
        return `${day} ${time}${withMilliseconds ? `.${digits(moment.getMilliseconds(), 3)}` : ""}`;
    }

    // The offset at that moment, as `GMT+1`: it differs in summer.
    function offset(moment) {
        const parts = new Intl.DateTimeFormat("en", { timeZoneName: "shortOffset" }).formatToParts(moment);
        return parts.find((part) => part.type === "timeZoneName").value;
    }

    function translate(element) {
        const moment = new Date(element.dateTime);
        const shown = element.textContent.trim();
        if (Number.isNaN(moment.getTime())) {
            return;
        }
        const saysUtc = shown.endsWith(" UTC");
        element.title = saysUtc ? shown : `${shown} UTC`;
        element.textContent = local(moment, shown.includes(".")) + (saysUtc ? ` ${offset(moment)}` : "");
    }

    // Replaces "(UTC)" in column headings, and in the cell labels that replace them on a narrow screen.
    function rename(table) {
        table.dataset.zone = "local";
        const name = (text) => text.replace("(UTC)", "(local)");
        for (const span of table.querySelectorAll("thead span")) {
            if (span.textContent.includes("(UTC)")) {
                span.title = `In ${zone}. Hover over a time to see it in UTC.`;
                span.textContent = name(span.textContent.trim());
            }
        }
        for (const cell of table.querySelectorAll('[data-label*="(UTC)"]')) {
            cell.dataset.label = name(cell.dataset.label);
        }
    }

    // Day filters default to the reader's zone, like the times on the page. Days from the URL keep their zone.
    function offerZone(select) {
        if (![...select.options].some((option) => option.value === zone)) {
            select.add(new Option(zone));
        }
        if (![...select.form.querySelectorAll("input[type=date]")].some((day) => day.value)) {
            select.value = zone;
        }
    }

    function markAsSearching(form) {
        const button = form.querySelector("button[type=submit]");
        const text = button.textContent;
        form.addEventListener("submit", () => {
            form.setAttribute("aria-busy", "true");
            button.textContent = "Searching…";
        });
        // The browser's Back button restores the page as it was left.
        addEventListener("pageshow", () => {
            form.removeAttribute("aria-busy");
            button.textContent = text;
        });
    }

    // Prevents a second click while the bank is asked.
    function decideOnce(form) {
        form.addEventListener("submit", (event) => {
            const button = event.submitter;
            if (!button || button.name !== "confirmed") {
                return;
            }
            form.setAttribute("aria-busy", "true");
            // After the form's fields, including the button's, have been collected.
            setTimeout(() => {
                button.disabled = true;
                button.textContent = "Asking the bank…";
            });
        });
        addEventListener("pageshow", () => form.removeAttribute("aria-busy"));
    }

    // The browser shows a chosen file's name itself. The theme's script would look for a box of its own, and fail.
    function keepPlain(input) {
        input.hasChangeListener = true;
    }

    function printOnClick(button) {
        button.addEventListener("click", () => print());
    }

    // Moves the focus to a form's error or preview, for the keyboard and screen readers.
    function focusOn(element) {
        requestAnimationFrame(() => element.focus());
    }

    // The theme's icons are words in an icon font; a screen reader would read the words.
    function hideIcons() {
        for (const icon of document.querySelectorAll(".material-symbols-outlined")) {
            icon.setAttribute("aria-hidden", "true");
        }
    }

    // On a narrow screen rows become cards, and each cell shows the name of its column.
    function nameCells(table) {
        const names = [...table.querySelectorAll("thead tr:last-child > *")].map((cell) => cell.textContent.trim());
        for (const row of table.tBodies[0]?.rows ?? []) {
            [...row.cells].filter((cell) => cell.tagName === "TD").forEach((cell) => {
                if (names[cell.cellIndex]) {
                    cell.dataset.label = names[cell.cellIndex];
                }
            });
        }
    }

    // `/` focuses the search on this page, or opens the payment list.
    function searchBySlash(event) {
        const typing = event.target.closest("input, textarea, select, [contenteditable]");
        if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || typing) {
            return;
        }
        const box = document.querySelector("form.ficpay-search input:is([type=search], [type=text])");
        const list = document.querySelector("#nav-sidebar a[href$='/payments/payment/']");
        if (box || list) {
            event.preventDefault();
        }
        if (box) {
            box.focus();
            box.select();
        } else if (list) {
            location.assign(list.href);
        }
    }

    document.addEventListener("keydown", searchBySlash);
    document.addEventListener("DOMContentLoaded", () => {
        hideIcons();
        document.querySelectorAll(":is(.ficpay-card, .ficpay-panel) table").forEach(nameCells);
        document.querySelectorAll(".ficpay-deciding [data-goes-on]").forEach(focusOn);
        if (zone && !["UTC", "Etc/UTC", "GMT"].includes(zone)) {
            document.querySelectorAll("#result_list").forEach(rename);
            document.querySelectorAll("time[datetime]").forEach(translate);
            document.querySelectorAll("select.ficpay-zone").forEach(offerZone);
        }
        document.querySelectorAll("form.ficpay-search").forEach(markAsSearching);
        document.querySelectorAll("form.ficpay-deciding").forEach(decideOnce);
        document.querySelectorAll("[data-print]").forEach(printOnClick);
        document.querySelectorAll("input[type=file]").forEach(keepPlain);
    });
})();
