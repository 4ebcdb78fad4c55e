// What scrolls inside its own frame can be reached, and scrolled, by the keyboard.
const reachable = () => {
    for (const each of document.querySelectorAll(".bd-article :is(table, pre, .output, .math)")) {
        if (each.scrollWidth > each.clientWidth) each.tabIndex = 0;
    }
};
addEventListener("load", reachable);
addEventListener("resize", reachable);
