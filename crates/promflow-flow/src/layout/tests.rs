use super::*;
use crate::graph::State;
use crate::testing::Planted;
use crate::view::{ViewEdge, ViewNode, ViewOptions};

/// Returns points on an edge's way, close enough to each other to notice a node.
fn samples(edge: &PlacedEdge) -> Vec<Point> {
    let mut samples = Vec::new();
    for pair in edge.points.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        for step in 0..=24 {
            let t = f64::from(step) / 24.0;
            // The bend that the picture draws: level at both ends, its handles in the middle.
            let s = 3.0 * (1.0 - t) * t * t + t * t * t;
            let middle = if a.x == b.x { a.x + 20.0 } else { (a.x + b.x) / 2.0 };
            let x = (1.0 - t).powi(3) * a.x + 3.0 * (1.0 - t) * t * middle + t.powi(3) * b.x;
            samples.push(Point { x, y: a.y + (b.y - a.y) * s });
        }
    }
    samples
}

/// Checks what must hold of every layout.
#[track_caller]
pub(crate) fn check(view: &View) -> Layout {
    let placed = layout(view);
    for (i, node) in placed.nodes.iter().enumerate() {
        for (j, other) in placed.nodes.iter().enumerate().skip(i + 1) {
            let (a, b) = (&view.nodes[i].id, &view.nodes[j].id);
            assert!(
                !node.rect.overlaps(&other.rect),
                "{a} and {b} overlap: {:?} {:?}",
                node.rect,
                other.rect
            );
        }
        let room = node.rect.width - ICON_WIDTH - TEXT_MARGIN;
        assert!(text::width(&node.title, TITLE_SIZE) <= room + 0.01, "{} does not fit", node.title);
        assert!(text::width(&node.subtitle, SUBTITLE_SIZE) <= room + 0.01, "{} does not fit", node.subtitle);
        let inside =
            node.rect.x >= 0.0 && node.rect.right() <= placed.width && node.rect.bottom() <= placed.height;
        assert!(inside && node.rect.y >= 0.0, "{} is outside", view.nodes[i].id);
    }
    for (i, one) in placed.boxes.iter().enumerate() {
        for other in &placed.boxes[i + 1..] {
            assert!(!one.rect.overlaps(&other.rect), "frames {} and {} overlap", one.full, other.full);
        }
    }
    for (edge, way) in view.edges.iter().zip(&placed.edges) {
        for point in samples(way) {
            let hit = placed.nodes.iter().enumerate().find(|(place, node)| {
                let rect = node.rect;
                ![edge.from, edge.to].contains(place)
                    && point.x > rect.x
                    && point.x < rect.right()
                    && point.y > rect.y
                    && point.y < rect.bottom()
            });
            let name = |place: usize| view.nodes[place].id.clone();
            assert!(
                hit.is_none(),
                "{} -> {} runs through {}",
                name(edge.from),
                name(edge.to),
                hit.map_or(String::new(), |(place, _)| name(place))
            );
        }
    }
    assert_eq!(placed, layout(view), "the layout differs from run to run");
    let measured = measure(view, &placed);
    println!("{} nodes, {} edges: {measured:?}", view.nodes.len(), view.edges.len());
    assert_eq!(measured.overlaps, 0);
    placed
}

fn view(lanes: &[(Lane, usize)], edges: &[(usize, usize)]) -> View {
    let mut nodes = Vec::new();
    for (lane, count) in lanes {
        for place in 0..*count {
            let id = format!("{}{place}", lane.as_str());
            nodes.push(ViewNode {
                title: id.clone(),
                id,
                lane: Some(*lane),
                count: 1,
                ..ViewNode::default()
            });
        }
    }
    let edge = |&(from, to): &(usize, usize)| ViewEdge {
        from,
        to,
        state: State::Defined,
        tooltip: String::new(),
        samples_per_second: None,
        fault: None,
        count: 1,
    };
    View { nodes, edges: edges.iter().map(edge).collect(), ..View::default() }
}

#[test]
fn edges_that_need_not_cross_do_not_cross() {
    let straight = view(&[(Lane::Code, 3), (Lane::Scraping, 3)], &[(0, 5), (1, 4), (2, 3)]);
    assert_eq!(check(&straight).crossings, 0);
    // A tree has a drawing without crossings.
    let tree = view(
        &[(Lane::Code, 1), (Lane::Scraping, 3), (Lane::Alerting, 6)],
        &[(0, 1), (0, 2), (0, 3), (1, 8), (1, 5), (2, 9), (2, 4), (3, 7), (3, 6)],
    );
    assert_eq!(check(&tree).crossings, 0);
}

#[test]
fn edges_between_the_same_nodes_meet_in_a_point_and_do_not_cross() {
    let all: Vec<(usize, usize)> = (0..20).flat_map(|from| (20..24).map(move |to| (from, to))).collect();
    let complete = view(&[(Lane::Alerting, 20), (Lane::Delivery, 4)], &all);
    let placed = check(&complete);
    assert_eq!((placed.crossings, placed.points.len()), (0, 1));
    let (at, state) = placed.points[0];
    assert_eq!(state, State::Defined);
    assert!(placed.edges.iter().all(|edge| edge.points.contains(&at)), "every edge goes through {at:?}");
    // An edge that is broken is drawn on its own, and so are those that have nothing in common.
    let mut broken = complete.clone();
    broken.edges[5].state = State::Mismatch;
    let placed = check(&broken);
    assert!(!placed.edges[5].points.contains(&placed.points[0].0));
    let apart = view(&[(Lane::Alerting, 2), (Lane::Delivery, 3)], &[(0, 2), (0, 3), (1, 3), (1, 4)]);
    assert_eq!(check(&apart).points, []);
}

#[test]
fn names_are_whole_as_long_as_the_chart_has_room() {
    let mut named = view(&[(Lane::Recording, 2), (Lane::Alerting, 2)], &[(0, 2), (1, 3)]);
    named.nodes[0].title = "instance_mountpoint:node_filesystem_avail_per_size:ratio".to_owned();
    assert_eq!(measure(&named, &check(&named)).cut_labels, 0);
    named.nodes[0].title = "x".repeat(200);
    assert_eq!(measure(&named, &check(&named)).cut_labels, 1);
    let everywhere: Vec<(Lane, usize)> = Lane::ALL.into_iter().map(|lane| (lane, 1)).collect();
    let mut full = view(&everywhere, &[]);
    full.nodes.iter_mut().for_each(|node| node.title = "x".repeat(60));
    assert!(check(&full).width <= 2_400.0);
}

#[test]
fn long_edges_run_around_nodes() {
    let long = view(
        &[(Lane::Code, 2), (Lane::Exposure, 3), (Lane::Scraping, 3), (Lane::Alerting, 2)],
        &[(0, 2), (0, 8), (1, 9), (1, 4), (2, 5), (3, 6), (4, 7), (5, 8), (7, 9)],
    );
    check(&long);
}

#[test]
fn circles_and_edges_against_the_lanes_are_drawn() {
    let circle =
        view(&[(Lane::Recording, 3), (Lane::Alerting, 1)], &[(0, 1), (1, 2), (2, 0), (2, 3), (3, 0)]);
    let placed = check(&circle);
    assert!(placed.edges.iter().all(|edge| edge.points.len() >= 2));
    assert_eq!(layout(&View::default()).nodes, []);
}

#[test]
fn a_whole_system_is_laid_out_without_overlaps() {
    let graph = Planted::new(&[
        "record: 'job:http_requests:rate5m', expr: 'sum by (job) (rate(http_requests_total[5m]))'",
        "record: 'job:http_requests:ratio', expr: 'job:http_requests:rate5m / 2'",
        "alert: A, expr: 'job:http_requests:rate5m > 1 and up == 1', labels: {severity: critical}",
        "alert: B, expr: 'job:http_requests:ratio > 1 or queue_size > 3'",
        "alert: C, expr: 'node_load1 > 1'",
        "alert: D, expr: 'http_request_total > 1'",
        "alert: AVeryLongNameThatDoesNotFitIntoABoxHoweverMuchOneWouldLikeItTo, expr: 'secret_total > 1'",
    ])
    .graph(None);
    let view = View::of(&graph, &ViewOptions::default());
    let placed = check(&view);
    assert!(placed.crossings <= 8, "{} crossings", placed.crossings);
    assert_eq!(measure(&view, &placed).cut_labels, 0);
}
