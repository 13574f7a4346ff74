//! Sends alerts to Alertmanager.
