"""How networks are trained here, students and generative models alike: one loop, resumed to the same bits."""
