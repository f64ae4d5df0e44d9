"""Parts of HTML pages about images: small pictures with boxes, maps, and the view of one selection."""
