/* htmx would write a style element into the page, which its Content-Security-Policy refuses. */
htmx.config.includeIndicatorStyles = false;
