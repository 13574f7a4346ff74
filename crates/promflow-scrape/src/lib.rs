//! The scrape loop: fetch, parse, relabel, append.
