//! The pipeline graph: lineage, states, layout, renderers.
