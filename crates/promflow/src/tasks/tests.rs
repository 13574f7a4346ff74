use super::*;

fn page(registry: &Registry) -> String {
    String::from_utf8(registry.encode(crate::Format::Text)).unwrap()
}

#[test]
fn every_run_ends_in_one_state() {
    let registry = Registry::new();
    let task = Task::new(&registry, "export");
    task.start().success();
    task.start().retry();
    task.start().failure();
    task.start().failure_of("Timeout");
    drop(task.start());
    let page = page(&registry);
    for (state, runs) in [("success", 1), ("failure", 3), ("retry", 1)] {
        assert!(page.contains(&format!("celery_tasks_total{{task=\"export\",state=\"{state}\"}} {runs}\n")));
    }
    assert!(page.contains("celery_task_duration_seconds_count{task=\"export\"} 5\n"), "{page}");
}

#[test]
fn states_exist_before_the_first_run() {
    let registry = Registry::new();
    let _task = Task::new(&registry, "export");
    let page = page(&registry);
    for state in ["success", "failure", "retry"] {
        assert!(page.contains(&format!("celery_tasks_total{{task=\"export\",state=\"{state}\"}} 0\n")));
    }
}

#[test]
fn celery_exporter_has_its_own_names() {
    let registry = Registry::new();
    let worker = Worker::new(&registry, Preset::CeleryExporter, "w1");
    let task = worker.task("export", "slow");
    task.sent();
    task.received();
    task.rejected();
    task.revoked();
    task.waited(Duration::from_secs(20));
    task.start().success();
    task.start().retry();
    task.start().failure_of("ValueError");
    let running = task.start();
    worker.set_queue_length("slow", 4);
    worker.set_consumers("slow", Consumers { consumers: 1, workers: 2, processes: 8 });
    let labels = r#"{name="export",hostname="w1",queue_name="slow"}"#;
    let during = page(&registry);
    let events = ["sent", "received", "succeeded", "rejected", "revoked", "retried"];
    let mut lines: Vec<String> =
        events.iter().map(|event| format!("celery_task_{event}_total{labels} 1")).collect();
    lines.extend([
        format!("celery_task_started_total{labels} 4"),
        format!("celery_task_runtime_count{labels} 1"),
        r#"celery_task_failed_total{name="export",hostname="w1",exception="ValueError",queue_name="slow"} 1"#
            .to_owned(),
        r#"celery_task_queue_wait_time_bucket{name="export",hostname="w1",queue_name="slow",le="30"} 1"#
            .to_owned(),
        r#"celery_worker_up{hostname="w1"} 1"#.to_owned(),
        r#"celery_worker_tasks_active{hostname="w1"} 1"#.to_owned(),
        r#"celery_queue_length{queue_name="slow"} 4"#.to_owned(),
        r#"celery_active_consumer_count{queue_name="slow"} 1"#.to_owned(),
        r#"celery_active_worker_count{queue_name="slow"} 2"#.to_owned(),
        r#"celery_active_process_count{queue_name="slow"} 8"#.to_owned(),
    ]);
    for line in lines {
        assert!(during.lines().any(|l| l == line), "{line} is not in\n{during}");
    }
    assert!(!during.contains("celery_tasks_total"), "{during}");
    drop(running);
    worker.set_up(false);
    let after = page(&registry);
    for line in [
        r#"celery_task_failed_total{name="export",hostname="w1",exception="",queue_name="slow"} 1"#,
        r#"celery_worker_up{hostname="w1"} 0"#,
        r#"celery_worker_tasks_active{hostname="w1"} 0"#,
    ] {
        assert!(after.lines().any(|l| l == line), "{line} is not in\n{after}");
    }
}
