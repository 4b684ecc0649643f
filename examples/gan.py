"""A generative adversarial network, with the loss of 2014 and with the default loss of isthmus.

Corrects a tutorial in which generator and critic minimise the same loss, so they do not compete. In addition, the
critic never receives a real picture, the layers are created again in each call, and the generator receives pictures
instead of noise. In a GAN, each of the two minimises its own loss (Goodfellow et al., "Generative Adversarial Nets",
NeurIPS 2014), with x a real picture, G(z) a generated one, and D(x) the probability that x is real according to the
critic C, the sigmoid of C(x):

    critic     -log D(x) - log(1 - D(G(z)))
    generator   log(1 - D(G(z)))

Type
    python examples/gan.py

and compare this "minimax" loss with the relativistic one with two gradient penalties (Huang et al., "The GAN is dead;
long live the GAN!", NeurIPS 2024). With minimax, the generator has almost no gradient while the critic is certain, as
it is from the first steps, and the training may oscillate. The relativistic critic compares pairs of a real and a
generated picture. A GAN needs many steps: first it draws noise, and its samples improve for a long time.
"""

from __future__ import annotations

import math

from common import arguments, halves, pictures, samples_table, sheets

from isthmus import GAN


def main() -> None:
    """Play both games, and compare what they draw."""
    options = arguments(__doc__, epochs=20)
    train, test = pictures(options.data)
    wanted = len(halves(test)[1])
    drawn, critic, generator = {}, {}, {}
    for loss in ("minimax", "relativistic"):
        model = GAN(
            loss=loss, network="dense", hidden=(256, 256), latent_dim=64, max_epochs=options.epochs, random_state=0
        )
        drawn[loss] = model.fit(train).sample(wanted, random_state=0)
        critic[loss] = model.history_[-1]["train_critic_loss"]
        generator[loss] = model.history_[-1]["train_generator_loss"]

    captions = samples_table(train, test, drawn, critic=critic, generator=generator)
    print("A critic that cannot tell real from new has a loss of")
    print(f"{2 * math.log(2):.2f} in the minimax game and of {math.log(2):.2f} in the relativistic one.\n")
    shown = {"held-out pictures": halves(test)[1].array} | drawn
    captions = {name: f"Frechet distance {captions[name]}" for name in shown}
    sheets(
        {name: images[:48] for name, images in shown.items()}, options.output / "gan.png", columns=6, captions=captions
    )


if __name__ == "__main__":
    main()
