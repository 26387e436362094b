"""At the start of each kernel of the tests in JupyterLab: fleets train little.

Nineteen of twenty steps are left out, and so is what is claimed of them.
"""


def shorten(kept=20):
    # All of it in a function: other names are the notebook's to overwrite.
    import lsr_utils
    from lsr_utils.fleet import _Training as Training

    update = Training.update

    def update_seldom(training):
        if training.step % kept:
            training.step += 1
        else:
            update(training)

    Training.update = update_seldom
    lsr_utils.claim = lambda *claim, **options: None


shorten()
del shorten
