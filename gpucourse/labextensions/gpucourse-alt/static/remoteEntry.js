/* Gives every picture in an output the words that stand in its metadata, {"image/png": {"alt": "..."}}, and every slider
   the name that stands beside it.

   JupyterLab 4 itself leaves <img> without `alt` (https://github.com/jupyter/enhancement-proposals/issues/120).
   Written by hand as what the JupyterLab build makes of an extension: a container of webpack's module federation. */
(() => {
  const MIME_TYPES = ["image/png", "image/jpeg"];

  const labeled = (factory, type) => ({
    ...factory,
    createRenderer: options => {
      const renderer = factory.createRenderer(options), render = renderer.renderModel.bind(renderer);
      renderer.renderModel = async model => {
        await render(model);
        const words = model.metadata[type] && model.metadata[type].alt;
        const image = renderer.node.querySelector("img");
        if (words && image) image.alt = words;
      };
      return renderer;
    },
  });

  // ipywidgets writes a slider's name beside it, but does not tie the two together
  const nameSliders = () => {
    for (const handle of document.querySelectorAll(".widget-slider .noUi-handle:not([aria-label])")) {
      const label = handle.closest(".widget-slider").querySelector(".widget-label");
      if (label && label.textContent.trim()) handle.setAttribute("aria-label", label.textContent.trim());
    }
  };
  let asked = false;
  const soon = () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; nameSliders(); });
  };

  const plugin = token => ({
    id: "gpucourse-alt:plugin",
    description: "Shows the alternative text of pictures, and names sliders.",
    autoStart: true,
    requires: [token],
    activate: (_app, registry) => {
      for (const type of MIME_TYPES) {
        const factory = registry.getFactory(type);
        if (factory) registry.addFactory({...labeled(factory, type), mimeTypes: [type]}, factory.defaultRank);
      }
      new MutationObserver(soon).observe(document.body, {childList: true, subtree: true});
    },
  });

  let shared;
  const load = async name => (await Object.values(shared[name])[0].get())();
  const container = {
    init: scope => { shared = scope; },
    get: async () => {
      const {IRenderMimeRegistry} = await load("@jupyterlab/rendermime");
      return () => ({__esModule: true, default: plugin(IRenderMimeRegistry)});
    },
  };
  window._JUPYTERLAB = Object.assign(window._JUPYTERLAB || {}, {"gpucourse-alt": container});
})();
