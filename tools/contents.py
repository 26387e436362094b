"""Notebooks as JupyterLab reads them: one that is only looked at stays unmodified."""

from ipykernel.ipkernel import IPythonKernel
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager


class Contents(AsyncLargeFileManager):
    async def get(self, *place, **options):
        """With what a kernel will say of its language; `tidy` drops it on saving."""
        model = await super().get(*place, **options)
        if model["type"] == "notebook" and model["content"]:
            language = model["content"]["metadata"].get("language_info")
            if language == {"name": "python"}:
                language.update(IPythonKernel.language_info)
        return model
