//! The answer for a terminal.

use std::fmt::Write;

use super::{Cardinality, JobSeries};

fn trend(now: u64, before: Option<u64>) -> String {
    match before {
        None => String::new(),
        Some(before) if before == now => "=".to_owned(),
        Some(before) if now > before => format!("+{}", now - before),
        Some(before) => format!("-{}", before - now),
    }
}

impl Cardinality {
    /// Writes the answer for a terminal.
    pub fn text(&self) -> String {
        let mut out = format!("{} series", self.series);
        match self.series_hour_ago {
            Some(before) => {
                let _ = writeln!(out, ", {} an hour ago ({})", before, trend(self.series, Some(before)));
            }
            None => out.push_str("; the server has none from an hour ago\n"),
        }
        let rows = self.metrics.iter().map(|m| {
            vec![m.name.clone(), m.series.to_string(), percent(m.share), trend(m.series, m.series_hour_ago)]
        });
        table("metric", &["series", "share", "1h"], rows, &mut out);
        let number = |value: Option<u64>| value.map_or(String::new(), |value| value.to_string());
        let rows = self.jobs.iter().map(|job| {
            let name = if job.name.is_empty() { "(no job)".to_owned() } else { job.name.clone() };
            let (targets, largest) = (number(job.targets), number(job.samples_per_target_max));
            let trend = trend(job.series, job.series_hour_ago);
            vec![
                name,
                job.series.to_string(),
                percent(job.share),
                trend,
                targets,
                largest,
                trend_of(job),
                job.sample_limit.map_or("none".to_owned(), |limit| limit.to_string()),
                number(job.sample_limit_suggested),
            ]
        });
        let titles = ["series", "share", "1h", "targets", "largest", "1h", "limit", "suggested"];
        table("job", &titles, rows, &mut out);
        let rows = self.labels.iter().map(|label| {
            let name = format!("{} {}", label.metric, label.label);
            vec![name, label.values.to_string(), label.series.to_string(), label.examples.join(", ")]
        });
        table("label", &["values", "series", "examples"], rows, &mut out);
        if !self.blowups.is_empty() {
            out.push_str("\nlabels that blow up:\n");
        }
        for blowup in &self.blowups {
            let _ = writeln!(out, "  {} of {}: {}", blowup.label, blowup.metric, blowup.reason);
        }
        if !self.overflows.is_empty() {
            out.push_str("\nseries that programs refused, because their library's limit was reached:\n");
        }
        for overflow in &self.overflows {
            let limit =
                overflow.series_limit.map_or(String::new(), |limit| format!(" beyond {limit} series"));
            let _ = writeln!(
                out,
                "  {} of job {}: {} lookups{limit}, {} of them in the last hour",
                overflow.metric, overflow.job, overflow.refused, overflow.refused_in_hour
            );
        }
        if let Some(why) = &self.limits_unknown {
            let _ = writeln!(out, "\nthe limits that are set are not known: {why}");
        }
        if !self.limits.is_empty() {
            out.push_str("\nlimits to set (a scrape above its limit fails as a whole):\n");
        }
        for limit in &self.limits {
            let _ = write!(out, "  # {}\n{}", limit.reason, limit.yaml);
        }
        out
    }
}

fn trend_of(job: &JobSeries) -> String {
    job.samples_per_target_max.map_or(String::new(), |now| trend(now, job.samples_per_target_max_hour_ago))
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

fn table(first: &str, titles: &[&str], rows: impl Iterator<Item = Vec<String>>, out: &mut String) {
    let head = std::iter::once(first).chain(titles.iter().copied()).map(str::to_owned).collect::<Vec<_>>();
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    if rows.len() == 1 {
        return;
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
    out.push('\n');
    for row in &rows {
        let mut line = format!("  {:<1$}", row[0], widths[0]);
        for (cell, width) in row.iter().zip(&widths).skip(1) {
            let is_text = cell.contains(|c: char| c.is_alphabetic()) && row.len() == 4 && cell == &row[3];
            let _ = if is_text {
                write!(line, "  {cell}")
            } else {
                write!(line, "  {cell:>width$}", width = *width)
            };
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
}
