//! Shows rollouts in a browser: JSON and SSE API with embedded assets.
