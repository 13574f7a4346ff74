//! The picture as PNG, drawn with the face that the layout measures with.

use std::sync::Arc;

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};

use crate::Graph;

/// The family of the font inside.
const FAMILY: &str = "DejaVu Sans";

/// The widest and highest picture, in pixels; a larger one is drawn smaller.
const SIDE_MAX: f32 = 16_000.0;

/// Draws a graph as PNG, light or dark.
///
/// Errors: the picture has no size that can be drawn; in words.
pub fn png(graph: &Graph, dark: bool) -> Result<Vec<u8>, String> {
    let svg =
        super::svg::svg_in(&crate::view::View::of(graph, &crate::view::ViewOptions::default()), Some(dark));
    let mut fonts = fontdb::Database::new();
    fonts.load_font_source(fontdb::Source::Binary(Arc::new(dejavu::sans::regular())));
    fonts.set_sans_serif_family(FAMILY);
    let options = Options { fontdb: Arc::new(fonts), font_family: FAMILY.to_owned(), ..Options::default() };
    let tree = Tree::from_str(&svg, &options).map_err(|error| format!("cannot draw the chart: {error}"))?;
    let size = tree.size();
    // Twice as many pixels, for screens that have them, as long as the picture stays within bounds.
    let scale = (SIDE_MAX / size.width().max(size.height())).min(2.0);
    let side = |length: f32| (length * scale).ceil().max(1.0) as u32;
    let mut pixels = Pixmap::new(side(size.width()), side(size.height()))
        .ok_or_else(|| "the chart has no size that can be drawn".to_owned())?;
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixels.as_mut());
    pixels.encode_png().map_err(|error| format!("cannot encode the chart: {error}"))
}
