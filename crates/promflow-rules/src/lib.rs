//! The rule loop: recording rules, alert states.
