"use strict";
/* Small pictures of a defect beside each other: the ideal sites and the lowest minima, turned together. */

class StructurePicture extends StructureViewer {
  /* The atoms around the defect in one geometry; what the viewer reads from its menus is fixed here. */
  fillMenus() {
    const { geometry, reach } = this.root.dataset;
    this.controls = {
      scene: {}, geometry: { value: geometry }, range: { value: reach },
      colour: { value: "element" }, bonds: { checked: true }, arrows: { checked: false },
    };
  }

  selectScene() {
    this.scene = this.scenes[Number(this.root.dataset.scene)];
    this.refresh();
  }

  describe() {}

  listen() {
    this.turnByHand();
  }

  rotate(dx, dy) {
    super.rotate(dx, dy);
    for (const other of this.beside) {
      other.rotation = this.rotation;
      other.request();
    }
  }

  drawAxes() {}
}

/* The pictures of one defect; made when they come near the window, all at once before the page is printed. */
class PictureRow {
  constructor(root, scenes, elements) {
    this.root = root;
    this.scenes = scenes;
    this.elements = elements;
    this.pictures = [];
    const watcher = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      watcher.disconnect();
      this.make();
    }, { rootMargin: "400px 0px" });
    watcher.observe(root);
  }

  make() {
    if (this.pictures.length) return;
    const places = [...this.root.querySelectorAll(".picture")];
    this.pictures = places.map((place) => new StructurePicture(place, this.scenes, this.elements));
    for (const picture of this.pictures) picture.beside = this.pictures.filter((other) => other !== picture);
    const scene = this.pictures[0].scene;
    this.root.querySelector(".viewer-legend").replaceChildren(
      ...[...new Set(scene.numbers)].sort((a, b) => a - b)
        .map((z) => legendEntry(this.elements[z].colour, this.elements[z].symbol, "disc")),
      ...(scene.ghosts.length ? [legendEntry("transparent", "vacant site", "ghost")] : []),
      ...(scene.marked.length ? [legendEntry("transparent", "defect atom", "ring")] : []),
    );
  }

  redraw() {
    for (const picture of this.pictures) picture.request();
  }

  drawNow() {
    this.make();
    for (const picture of this.pictures) picture.draw();
  }
}
